/// Antialiased resampling, bit by bit as Pillow 13's: weights of 22 fractional bits, rounded to 8 bits after each pass.
enum Resampling {
    /// A part of the resized image.
    struct Window {
        let left: Int
        let top: Int
        let width: Int
        let height: Int
    }

    private static let fractionBits = 22

    /// Resizes to `(width, height)` and returns the window of it; nothing else of it is computed.
    static func resize(
        _ image: PackedImage, width: Int, height: Int, window: Window, by filter: Interpolation
    ) throws -> PackedImage {
        let columns = Weights(from: image.width, to: width, range: window.left..<window.left + window.width, by: filter)
        let rows = Weights(from: image.height, to: height, range: window.top..<window.top + window.height, by: filter)
        let stored = Block(bytes: image.bytes, columns: 0..<image.width, rows: 0..<image.height)
        // Pillow begins with the rows where that saves most: heights that shrink by more than twice what widths do.
        let beginsVertically = height < image.height && image.height - height > 2 * (image.width - width)
        let finished =
            beginsVertically
            ? horizontally(vertically(stored, columns.usedInputs, rows), 0..<window.height, columns)
            : vertically(horizontally(stored, rows.usedInputs, columns), 0..<window.width, rows)
        return try PackedImage(width: window.width, height: window.height, bytes: finished.bytes)
    }

    /// Pixels of a part of an image; `columns` and `rows` are where it lies in that.
    private struct Block {
        let bytes: [UInt8]
        let columns: Range<Int>
        let rows: Range<Int>
    }

    /// Makes each of `rows` as long as there are weights.
    private static func horizontally(_ input: Block, _ rows: Range<Int>, _ weights: Weights) -> Block {
        let width = weights.count
        let bytes = input.bytes.withUnsafeBufferPointer { source in
            [UInt8](unsafeUninitializedCapacity: rows.count * width * 3) { output, count in
                for row in rows {
                    let start = ((row - input.rows.lowerBound) * input.columns.count - input.columns.lowerBound) * 3
                    for column in 0..<width {
                        let goal = ((row - rows.lowerBound) * width + column) * 3
                        weights.apply(column, source, from: start, stride: 3, channels: output, at: goal)
                    }
                }
                count = rows.count * width * 3
            }
        }
        return Block(bytes: bytes, columns: 0..<width, rows: rows)
    }

    /// Makes each of `columns` as high as there are weights.
    private static func vertically(_ input: Block, _ columns: Range<Int>, _ weights: Weights) -> Block {
        let height = weights.count
        let stride = input.columns.count * 3
        let bytes = input.bytes.withUnsafeBufferPointer { source in
            [UInt8](unsafeUninitializedCapacity: height * columns.count * 3) { output, count in
                for row in 0..<height {
                    for column in columns {
                        let goal = (row * columns.count + column - columns.lowerBound) * 3
                        let start = (column - input.columns.lowerBound) * 3 - input.rows.lowerBound * stride
                        weights.apply(row, source, from: start, stride: stride, channels: output, at: goal)
                    }
                }
                count = height * columns.count * 3
            }
        }
        return Block(bytes: bytes, columns: columns, rows: 0..<height)
    }

    /// What each output of one direction takes of which inputs.
    private struct Weights {
        /// The first input of each output, and how many follow.
        private var spans: [(first: Int, count: Int)] = []
        private var fixed: [Int32] = []
        private let longest: Int

        var count: Int { spans.count }

        var usedInputs: Range<Int> {
            let first = spans.map(\.first).min() ?? 0
            return first..<(spans.map { $0.first + $0.count }.max() ?? first)
        }

        init(from inputs: Int, to outputs: Int, range: Range<Int>, by filter: Interpolation) {
            guard inputs != outputs else {
                // Pillow leaves a direction alone that keeps its size.
                longest = 1
                spans = range.map { ($0, 1) }
                fixed = [Int32](repeating: 1 << Int32(fractionBits), count: range.count)
                return
            }
            let scale = Double(inputs) / Double(outputs)
            let widened = max(scale, 1)
            let support = filter.support * widened
            longest = Int(support.rounded(.up)) * 2 + 1
            fixed = [Int32](repeating: 0, count: range.count * longest)
            for (place, output) in range.enumerated() {
                let center = (Double(output) + 0.5) * scale
                let first = max(0, Int(center - support + 0.5))
                let end = min(inputs, Int(center + support + 0.5))
                var weights = (first..<end).map {
                    filter.weight((Double($0 - first) + Double(first) - center + 0.5) * (1 / widened))
                }
                let total = weights.reduce(0, +)
                if total != 0 {
                    weights = weights.map { $0 / total }
                }
                for (index, weight) in weights.enumerated() {
                    let scaled = weight * Double(1 << fractionBits)
                    fixed[place * longest + index] = Int32(weight < 0 ? scaled - 0.5 : scaled + 0.5)
                }
                spans.append((first, weights.count))
            }
        }

        @inline(__always)
        func apply(
            _ output: Int, _ input: UnsafeBufferPointer<UInt8>, from source: Int, stride: Int,
            channels: UnsafeMutableBufferPointer<UInt8>, at goal: Int
        ) {
            let span = spans[output]
            var (red, green, blue) = (Int32(1) << 21, Int32(1) << 21, Int32(1) << 21)
            fixed.withUnsafeBufferPointer { fixed in
                var place = source + span.first * stride
                for index in output * longest..<output * longest + span.count {
                    let weight = fixed[index]
                    red &+= Int32(input[place]) &* weight
                    green &+= Int32(input[place + 1]) &* weight
                    blue &+= Int32(input[place + 2]) &* weight
                    place += stride
                }
            }
            channels[goal] = clipped(red)
            channels[goal + 1] = clipped(green)
            channels[goal + 2] = clipped(blue)
        }

        @inline(__always)
        private func clipped(_ sum: Int32) -> UInt8 {
            UInt8(max(0, min(255, sum >> Int32(fractionBits))))
        }
    }
}

extension Interpolation {
    /// How far the filter reaches, in inputs, where nothing shrinks.
    fileprivate var support: Double { self == .bilinear ? 1 : 2 }

    fileprivate func weight(_ distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .bilinear:
            return x < 1 ? 1 - x : 0
        case .bicubic:
            let a = -0.5
            if x < 1 {
                return ((a + 2) * x - (a + 3)) * x * x + 1
            }
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
        }
    }
}
