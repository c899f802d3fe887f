#if canImport(CoreAI)
    import CoreAI
    import PocketClipCore

    @available(iOS 27, macOS 27, *)
    extension NDArray {
        /// Values in C order. The array's own initialiser for a sequence copies them one by one, which takes longer.
        init<Value: BitwiseCopyable>(_ values: [Value], _ shape: [Int], _ type: NDArray.ScalarType) {
            self.init(shape: shape, scalarType: type)
            // Without strides of its own, an array is contiguous.
            mutableView(as: Value.self).withUnsafeMutablePointer { pointer, _, _ in
                values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: values.count) }
            }
        }

        /// The values in single precision, in C order.
        ///
        /// - Throws: `ModelError.inference` where they are of another type, or interleaved.
        func tensor() throws -> Tensor {
            guard scalarType == .float32 else {
                throw PocketClipError.model(.inference(reason: "the output holds \(scalarType), not float32"))
            }
            let view = view(as: Float.self)
            guard view.interleaveLayout == nil else {
                throw PocketClipError.model(.inference(reason: "the output's values are interleaved"))
            }
            let values = view.withUnsafePointer { pointer, shape, strides in
                // Rows may be padded in memory, so that values are found by the strides.
                let axes = 0..<shape.count
                let count = axes.reduce(1) { $0 * shape[$1] }
                var values: [Float] = []
                var place = [Int](repeating: 0, count: shape.count)
                while values.count < count {
                    values.append(pointer[axes.reduce(0) { $0 + place[$1] * strides[$1] }])
                    for axis in axes.reversed() {
                        place[axis] += 1
                        if place[axis] < shape[axis] { break }
                        place[axis] = 0
                    }
                }
                return values
            }
            return Tensor(shape: shape, values: .float32(values))
        }
    }
#endif
