/// An image of packed 8-bit RGB, row by row from the top.
public struct PackedImage: Equatable, Sendable {
    public static let longestSide = 65_536
    /// Four times the largest model input, so that resizing stays ours.
    private static let shortestDecodedSide = 1024
    private static let highestSubsampling = 8
    /// Of an image after subsampling: a narrow one of more would take a phone's memory.
    public static let mostPixels = 50_000_000

    public let width: Int
    public let height: Int
    public let bytes: [UInt8]

    /// - Throws: `ImageError` where a side is out of range, or there are more or fewer bytes than pixels need.
    public init(width: Int, height: Int, bytes: [UInt8]) throws {
        let allowed = 1...Self.longestSide
        guard allowed.contains(width), allowed.contains(height) else {
            throw PocketClipError.image(.tooNarrow(width: width, height: height))
        }
        guard bytes.count == width * height * 3 else {
            throw PocketClipError.image(.size(width: width, height: height, bytes: bytes.count))
        }
        self.width = width
        self.height = height
        self.bytes = bytes
    }

    /// Packs rows of four bytes a pixel, the fourth dropped, as Core Graphics and cameras give them.
    ///
    /// - Parameters:
    ///   - pixels: rows of `bytesPerRow` bytes.
    ///   - order: where red, green and blue are in a pixel: `(0, 1, 2)` for RGBX, `(2, 1, 0)` for BGRX.
    public init(
        width: Int, height: Int, fourByte pixels: UnsafeRawBufferPointer, bytesPerRow: Int,
        order: (red: Int, green: Int, blue: Int)
    ) throws {
        guard bytesPerRow >= width * 4, pixels.count >= bytesPerRow * (height - 1) + width * 4 else {
            throw PocketClipError.image(.size(width: width, height: height, bytes: pixels.count))
        }
        var bytes = [UInt8](repeating: 0, count: max(0, width * height * 3))
        bytes.withUnsafeMutableBufferPointer { goal in
            for row in 0..<height {
                for column in 0..<width {
                    let source = row * bytesPerRow + column * 4
                    let place = (row * width + column) * 3
                    goal[place] = pixels[source + order.red]
                    goal[place + 1] = pixels[source + order.green]
                    goal[place + 2] = pixels[source + order.blue]
                }
            }
        }
        try self.init(width: width, height: height, bytes: bytes)
    }

    /// Puts an image over white, as docs/bundles.md says: `c + 255 - a` for colours multiplied by their opacity, as Core
    /// Graphics has them.
    ///
    /// - Parameters:
    ///   - multiplied: red, green, blue and opacity, one byte each, in rows of `bytesPerRow`.
    public init(overWhite multiplied: UnsafeRawBufferPointer, width: Int, height: Int, bytesPerRow: Int) throws {
        guard width > 0, height > 0, bytesPerRow >= width * 4,
            multiplied.count >= bytesPerRow * (height - 1) + width * 4
        else {
            throw PocketClipError.image(.size(width: width, height: height, bytes: multiplied.count))
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: width * height * 3) { goal, count in
            for row in 0..<height {
                for column in 0..<width {
                    let source = row * bytesPerRow + column * 4
                    let place = (row * width + column) * 3
                    let white = 255 - multiplied[source + 3]
                    for channel in 0..<3 {
                        let (sum, isOver) = multiplied[source + channel].addingReportingOverflow(white)
                        goal[place + channel] = isOver ? 255 : sum
                    }
                }
            }
            count = width * height * 3
        }
        try self.init(width: width, height: height, bytes: bytes)
    }

    /// The power of two by which a decoder may leave pixels of an image out, so that large photographs take little memory.
    public static func subsampling(width: Int, height: Int) -> Int {
        var factor = 1
        while factor < highestSubsampling, min(width, height) / (factor * 2) >= shortestDecodedSide {
            factor *= 2
        }
        return factor
    }

    /// The image turned upright by its EXIF orientation, 1 to 8.
    ///
    /// - Throws: `ImageError.orientation` for any other value.
    public func upright(orientation: Int) throws -> PackedImage {
        guard let source = Self.sources[orientation] else {
            throw PocketClipError.image(.orientation(orientation))
        }
        if orientation == 1 {
            return self
        }
        let turned = orientation >= 5
        let (newWidth, newHeight) = turned ? (height, width) : (width, height)
        var result = [UInt8](repeating: 0, count: bytes.count)
        for y in 0..<newHeight {
            for x in 0..<newWidth {
                let (column, row) = source(x, y, width - 1, height - 1)
                let from = (row * width + column) * 3
                let to = (y * newWidth + x) * 3
                result[to] = bytes[from]
                result[to + 1] = bytes[from + 1]
                result[to + 2] = bytes[from + 2]
            }
        }
        return try PackedImage(width: newWidth, height: newHeight, bytes: result)
    }

    // By orientation: where pixel (x, y) of the upright image is, as (column, row), from the last column and row.
    private static let sources: [Int: @Sendable (Int, Int, Int, Int) -> (Int, Int)] = [
        1: { x, y, _, _ in (x, y) },
        2: { x, y, right, _ in (right - x, y) },
        3: { x, y, right, bottom in (right - x, bottom - y) },
        4: { x, y, _, bottom in (x, bottom - y) },
        5: { x, y, _, _ in (y, x) },
        6: { x, y, _, bottom in (y, bottom - x) },
        7: { x, y, right, bottom in (right - y, bottom - x) },
        8: { x, y, right, _ in (right - y, x) },
    ]
}
