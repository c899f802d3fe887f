import Foundation
import PocketClipCore

/// Decodes a file's first byte to the colour of all pixels; what begins with `damaged` is no image.
public struct FakePhotoDecoder: PhotoDecoder {
    public init() {}

    public func decode(_ content: Data, named name: String) throws -> PackedImage {
        guard let first = content.first, !content.starts(with: Data("damaged".utf8)) else {
            throw PocketClipError.image(.undecodable(name: name, reason: "it is damaged"))
        }
        return try PackedImage(width: 6, height: 8, bytes: [UInt8](repeating: first, count: 6 * 8 * 3))
    }
}
