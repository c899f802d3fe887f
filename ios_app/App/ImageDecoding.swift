import CoreGraphics
import Foundation
import PocketClipCore
import PocketClipCoreML
import SwiftUI

/// From image files to packed RGB, and back to what screens show.
enum ImageDecoding {
    /// Decodes a file's content on another thread; upright, as its EXIF orientation says, over white.
    ///
    /// - Throws: `ImageError`.
    static func decoded(_ content: Data, named name: String) async throws -> PackedImage {
        try await Task.detached { try ApplePhotoDecoder().decode(content, named: name) }.value
    }

    /// What screens show of packed pixels; nil where the system cannot make it.
    @MainActor static func picture(of image: PackedImage) -> Image? {
        guard let provider = CGDataProvider(data: Data(image.bytes) as CFData),
            let made = CGImage(
                width: image.width, height: image.height, bitsPerComponent: 8, bitsPerPixel: 24,
                bytesPerRow: image.width * 3,
                space: CGColorSpace(name: CGColorSpace.sRGB) ?? CGColorSpaceCreateDeviceRGB(),
                bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue), provider: provider, decode: nil,
                shouldInterpolate: true, intent: .defaultIntent)
        else { return nil }
        return Image(decorative: made, scale: 1)
    }
}
