import Foundation

/// Decodes image files, by whatever the system has for it. Used by several threads at a time.
public protocol PhotoDecoder: Sendable {
    /// The photograph in a file's content: upright, over white, in sRGB, no larger than models need.
    ///
    /// - Throws: `ImageError`.
    func decode(_ content: Data, named name: String) throws -> PackedImage
}
