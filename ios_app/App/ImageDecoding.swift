import CoreGraphics
import Foundation
import ImageIO
import PocketClipCore
import SwiftUI

/// From image files to packed RGB, and back to what screens show.
enum ImageDecoding {
    /// Decodes a file's content on another thread; upright, as its EXIF orientation says, over white.
    ///
    /// - Throws: `ImageError`.
    static func decoded(_ content: Data, named name: String) async throws -> PackedImage {
        try await Task.detached { try decode(content, named: name) }.value
    }

    static func decode(_ content: Data, named name: String) throws -> PackedImage {
        let source = CGImageSourceCreateWithData(content as CFData, nil)
        let properties = source.flatMap { CGImageSourceCopyPropertiesAtIndex($0, 0, nil) as? [CFString: Any] }
        let width = properties?[kCGImagePropertyPixelWidth] as? Int ?? 0
        let height = properties?[kCGImagePropertyPixelHeight] as? Int ?? 0
        let factor = PackedImage.subsampling(width: width, height: height)
        guard width / factor * (height / factor) <= PackedImage.mostPixels else {
            throw PocketClipError.image(.undecodable(name: name, reason: "\(width) x \(height) pixels are too many"))
        }
        let options = [kCGImageSourceSubsampleFactor: factor]
        guard let source, let image = CGImageSourceCreateImageAtIndex(source, 0, options as CFDictionary) else {
            throw PocketClipError.image(.undecodable(name: name, reason: "the system does not know its format"))
        }
        let orientation = properties?[kCGImagePropertyOrientation] as? Int ?? 1
        // Any other value means nothing.
        return try packed(image, named: name).upright(orientation: (1...8).contains(orientation) ? orientation : 1)
    }

    /// The pixels of an image in sRGB, over white.
    static func packed(_ image: CGImage, named name: String) throws -> PackedImage {
        let (width, height) = (image.width, image.height)
        guard
            let context = CGContext(
                data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
                space: CGColorSpace(name: CGColorSpace.sRGB) ?? CGColorSpaceCreateDeviceRGB(),
                bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
        else {
            throw PocketClipError.image(.undecodable(name: name, reason: "\(width) x \(height) pixels do not fit"))
        }
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        guard let pixels = context.data else {
            throw PocketClipError.image(.undecodable(name: name, reason: "it has no pixels"))
        }
        return try PackedImage(
            overWhite: UnsafeRawBufferPointer(start: pixels, count: context.bytesPerRow * height), width: width,
            height: height, bytesPerRow: context.bytesPerRow)
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
