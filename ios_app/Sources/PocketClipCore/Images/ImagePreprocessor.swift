/// From upright RGB to what an image tower takes: its size, layout, element type and range.
public struct ImagePreprocessor: Sendable {
    public let spec: PreprocessSpec
    public let input: TensorSpec

    public init(_ manifest: BundleManifest) {
        self.init(manifest.preprocess, input: manifest.image.input)
    }

    public init(_ spec: PreprocessSpec, input: TensorSpec) {
        self.spec = spec
        self.input = input
    }

    /// An upright image as the tower's input of batch 1: floats of `(x / 255 - mean) / std`, or bytes as they are.
    public func callAsFunction(_ image: PackedImage) throws -> Tensor {
        let pixels = try Self.resizeAndCrop(image, by: spec).bytes
        let size = spec.imageSize
        let isFirst = input.layout == "NCHW"
        let shape = isFirst ? [1, 3, size, size] : [1, size, size, 3]
        if input.dtype == ElementType.uint8.rawValue {
            return Tensor(shape: shape, values: .uint8(isFirst ? Self.channelsFirst(pixels) : pixels))
        }
        let tables = (0..<3).map(table)
        let area = size * size
        let values = [Float](unsafeUninitializedCapacity: area * 3) { goal, count in
            for place in 0..<area {
                for channel in 0..<3 {
                    let value = tables[channel][Int(pixels[place * 3 + channel])]
                    goal[isFirst ? channel * area + place : place * 3 + channel] = value
                }
            }
            count = area * 3
        }
        return Tensor(shape: shape, values: .float32(values))
    }

    /// Shorter side to `imageSize`, then the centre square; or both sides, by `resizeMode`.
    public static func resizeAndCrop(_ image: PackedImage, by spec: PreprocessSpec) throws -> PackedImage {
        let size = spec.imageSize
        var (width, height) = (size, size)
        if spec.resizeMode == .shortest {
            if image.width <= image.height {
                height = Int(Double(size * image.height) / Double(image.width))
            } else {
                width = Int(Double(size * image.width) / Double(image.height))
            }
        }
        let window = Resampling.Window(
            left: Self.corner(width, size), top: Self.corner(height, size), width: size, height: size)
        return try Resampling.resize(image, width: width, height: height, window: window, by: spec.interpolation)
    }

    private static func corner(_ side: Int, _ size: Int) -> Int {
        Int((Double(side - size) / 2).rounded(.toNearestOrEven))
    }

    private func table(_ channel: Int) -> [Float] {
        let isPlain = spec.mean.allSatisfy { $0 == 0 } && spec.std.allSatisfy { $0 == 1 }
        return (0..<256).map { value in
            let scaled = Float(value) / 255
            return isPlain ? scaled : (scaled - Float(spec.mean[channel])) / Float(spec.std[channel])
        }
    }

    private static func channelsFirst(_ pixels: [UInt8]) -> [UInt8] {
        let area = pixels.count / 3
        return (0..<3).flatMap { channel in (0..<area).map { pixels[$0 * 3 + channel] } }
    }
}
