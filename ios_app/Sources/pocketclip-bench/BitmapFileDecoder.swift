import Foundation
import PocketClipCore

#if !canImport(CoreML)
    /// Decodes BMP files of 24 bits a pixel without compression, which need no library: Linux has none of Apple's.
    struct BitmapFileDecoder: PhotoDecoder {
        func decode(_ content: Data, named name: String) throws -> PackedImage {
            let bytes = [UInt8](content)
            func fault(_ reason: String) -> PocketClipError { .image(.undecodable(name: name, reason: reason)) }
            func number(_ place: Int, _ count: Int) -> Int {
                (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
            }
            guard bytes.count > 54, bytes[0] == UInt8(ascii: "B"), bytes[1] == UInt8(ascii: "M") else {
                throw fault("it is no BMP file")
            }
            let (start, width, height) = (number(10, 4), number(18, 4), number(22, 4))
            guard number(28, 2) == 24, number(30, 4) == 0 else { throw fault("it is not of 24 bits, uncompressed") }
            let sides = 1...PackedImage.longestSide
            guard sides.contains(width), sides.contains(height), width * height <= PackedImage.mostPixels else {
                throw fault("\(width) x \(height) pixels are too many, or none")
            }
            // Each row takes a multiple of four bytes; the last one comes first.
            let rowBytes = (width * 3 + 3) / 4 * 4
            guard start >= 54, bytes.count >= start + rowBytes * height else { throw fault("it is truncated") }
            var pixels: [UInt8] = []
            pixels.reserveCapacity(width * height * 3)
            for row in (0..<height).reversed() {
                for column in 0..<width {
                    let place = start + row * rowBytes + column * 3
                    pixels += [bytes[place + 2], bytes[place + 1], bytes[place]]
                }
            }
            return try PackedImage(width: width, height: height, bytes: pixels)
        }
    }
#endif
