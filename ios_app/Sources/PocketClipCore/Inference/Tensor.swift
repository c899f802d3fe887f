import Foundation

/// The type of a tensor's values.
public enum ElementType: String, JSONWord {
    case uint8
    case uint16
    case int32
    case float32

    public var byteCount: Int {
        switch self {
        case .uint8: 1
        case .uint16: 2
        case .int32, .float32: 4
        }
    }
}

/// Values in C order with their shape.
public struct Tensor: Equatable, Sendable {
    /// The values by their type.
    public enum Values: Equatable, Sendable {
        case uint8([UInt8])
        case uint16([UInt16])
        case int32([Int32])
        case float32([Float])
    }

    public let shape: [Int]
    public let values: Values

    /// - Precondition: there are as many values as the shape says.
    public init(shape: [Int], values: Values) {
        self.shape = shape
        self.values = values
        precondition(shape.reduce(1, *) == count, "the shape \(shape) has other than \(count) values")
    }

    /// Reads little-endian values.
    ///
    /// - Returns: nil where the bytes are more or fewer than the shape needs.
    public init?(shape: [Int], type: ElementType, littleEndian data: Data) {
        guard let count = Self.elementCount(shape), data.count == count * type.byteCount else { return nil }
        self.shape = shape
        switch type {
        case .uint8: values = .uint8([UInt8](data))
        case .uint16: values = .uint16(Self.words(data, as: UInt16.self).map(UInt16.init(littleEndian:)))
        case .int32: values = .int32(Self.words(data, as: Int32.self).map(Int32.init(littleEndian:)))
        case .float32:
            values = .float32(Self.words(data, as: UInt32.self).map { Float(bitPattern: UInt32(littleEndian: $0)) })
        }
    }

    public var type: ElementType {
        switch values {
        case .uint8: .uint8
        case .uint16: .uint16
        case .int32: .int32
        case .float32: .float32
        }
    }

    public var count: Int {
        switch values {
        case .uint8(let values): values.count
        case .uint16(let values): values.count
        case .int32(let values): values.count
        case .float32(let values): values.count
        }
    }

    /// The values as little-endian bytes.
    public var littleEndian: Data {
        switch values {
        case .uint8(let values): Data(values)
        case .uint16(let values): Self.bytes(values.map(\.littleEndian))
        case .int32(let values): Self.bytes(values.map(\.littleEndian))
        case .float32(let values): Self.bytes(values.map(\.bitPattern.littleEndian))
        }
    }

    public var isFinite: Bool {
        guard case .float32(let values) = values else { return true }
        return values.allSatisfy(\.isFinite)
    }

    /// The values as single-precision numbers.
    public var floats: [Float] {
        switch values {
        case .uint8(let values): values.map(Float.init)
        case .uint16(let values): values.map(Float.init)
        case .int32(let values): values.map(Float.init)
        case .float32(let values): values
        }
    }

    /// Samples along the first axis, each of batch 1.
    public var samples: [Tensor] {
        guard let first = shape.first, first > 0 else { return [] }
        let length = count / first
        let own = [1] + shape.dropFirst()
        return (0..<first).map { index in
            let range = index * length..<(index + 1) * length
            return switch values {
            case .uint8(let values): Tensor(shape: own, values: .uint8(Array(values[range])))
            case .uint16(let values): Tensor(shape: own, values: .uint16(Array(values[range])))
            case .int32(let values): Tensor(shape: own, values: .int32(Array(values[range])))
            case .float32(let values): Tensor(shape: own, values: .float32(Array(values[range])))
            }
        }
    }

    /// The number of values of a shape; nil where a side is below 1 or the number too large.
    static func elementCount(_ shape: [Int]) -> Int? {
        var count = 1
        for side in shape {
            guard side >= 1 else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: side)
            guard !overflow, product < 1 << 40 else { return nil }
            count = product
        }
        return count
    }

    private static func words<Word: FixedWidthInteger>(_ data: Data, as: Word.Type) -> [Word] {
        [Word](unsafeUninitializedCapacity: data.count / MemoryLayout<Word>.size) { buffer, count in
            _ = data.copyBytes(to: buffer)
            count = data.count / MemoryLayout<Word>.size
        }
    }

    private static func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> Data {
        words.withUnsafeBytes { Data($0) }
    }
}
