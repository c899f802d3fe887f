#if canImport(CoreML)
    import CoreGraphics
    import Foundation
    import ImageIO
    import PocketClipCore

    /// Photographs, decoded by ImageIO.
    public struct ApplePhotoDecoder: PhotoDecoder {
        public init() {}

        public func decode(_ content: Data, named name: String) throws -> PackedImage {
            // A thread that decodes many must not keep what each leaves to be freed later.
            try autoreleasepool { try upright(content, named: name) }
        }

        private func upright(_ content: Data, named name: String) throws -> PackedImage {
            let source = CGImageSourceCreateWithData(content as CFData, nil)
            let properties = source.flatMap { CGImageSourceCopyPropertiesAtIndex($0, 0, nil) as? [CFString: Any] }
            let width = properties?[kCGImagePropertyPixelWidth] as? Int ?? 0
            let height = properties?[kCGImagePropertyPixelHeight] as? Int ?? 0
            let factor = PackedImage.subsampling(width: width, height: height)
            guard width / factor * (height / factor) <= PackedImage.mostPixels else {
                throw PocketClipError.image(
                    .undecodable(name: name, reason: "\(width) x \(height) pixels are too many"))
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
        private func packed(_ image: CGImage, named name: String) throws -> PackedImage {
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
    }
#endif
