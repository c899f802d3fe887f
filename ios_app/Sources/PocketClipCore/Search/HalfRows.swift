/// Arithmetic on rows of half floats, sixteen values at a time.
///
/// A row is widened in the order that costs least on the machine. What it is multiplied with is laid out in the same
/// order, once.
enum HalfRows {
    static let chunkValues = 16
    static let chunkBytes = 2 * chunkValues

    /// Sixteen values in single precision.
    typealias Wide = (SIMD8<Float>, SIMD8<Float>)

    static func chunkCount(width: Int) -> Int {
        (width + chunkValues - 1) / chunkValues
    }

    #if arch(arm64)
        /// What `widened` leaves out: its values times this are the row's own.
        static let scale: Float = 1

        /// The places in a chunk in the order in which `widened` gives their values.
        static let order = Array(0..<chunkValues)

        /// Widens sixteen half floats; the processor has an instruction for it.
        @inline(__always)
        static func widened(_ values: SIMD16<UInt16>) -> Wide {
            let halves = unsafeBitCast(values, to: SIMD16<Float16>.self)
            return (SIMD8<Float>(halves.lowHalf), SIMD8<Float>(halves.highHalf))
        }
    #else
        static let scale = HalfFloat.exponentGap

        // Each 32-bit word holds two values: those at even places are its low halves.
        static let order = (0..<chunkValues).map { 2 * ($0 % 8) + $0 / 8 }

        /// Widens sixteen finite half floats by moving their bits: the shift by three repeats the sign, and the mask
        /// leaves one sign, the exponent and the mantissa.
        @inline(__always)
        static func widened(_ values: SIMD16<UInt16>) -> Wide {
            let words = unsafeBitCast(values, to: SIMD8<Int32>.self)
            let mask = SIMD8<Int32>(repeating: Int32(bitPattern: 0x8fff_e000))
            let even = (words &<< 16) &>> 3 & mask
            let odd = words &>> 3 & mask
            return (unsafeBitCast(even, to: SIMD8<Float>.self), unsafeBitCast(odd, to: SIMD8<Float>.self))
        }
    #endif

    /// A chunk of a row; zeros stand behind its end.
    @inline(__always)
    static func chunk(_ place: Int, of row: UnsafeRawPointer, width: Int) -> SIMD16<UInt16> {
        let start = row + place &* chunkBytes
        let count = width &- place &* chunkValues
        if count >= chunkValues {
            return start.loadUnaligned(as: SIMD16<UInt16>.self)
        }
        var values = SIMD16<UInt16>.zero
        for each in 0..<count {
            values[each] = start.loadUnaligned(fromByteOffset: 2 &* each, as: UInt16.self)
        }
        return values
    }

    /// Whether a row holds neither NaN nor infinity.
    static func isFinite(_ row: UnsafeRawPointer, width: Int) -> Bool {
        let exponent = SIMD16<UInt16>(repeating: 0x7c00)
        var found = SIMD16<UInt16>.zero
        for place in 0..<chunkCount(width: width) {
            // An exponent of ones alone reaches the highest bit.
            found |= chunk(place, of: row, width: width) & exponent &+ SIMD16(repeating: 0x0400)
        }
        return found & SIMD16(repeating: 0x8000) == .zero
    }

    /// A row's values in single precision.
    static func floats(_ row: UnsafeRawPointer, width: Int) -> [Float] {
        (0..<width).map { HalfFloat.float(row.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) }
    }
}

/// A query, laid out for the products with many rows.
struct RowQuery: Sendable {
    private let width: Int
    private let values: [SIMD8<Float>]

    init(_ query: [Float]) {
        width = query.count
        let scaled = query.map { $0 * HalfRows.scale }
        var values: [SIMD8<Float>] = []
        for start in stride(from: 0, to: query.count, by: HalfRows.chunkValues) {
            for half in 0..<2 {
                let places = HalfRows.order[8 * half..<8 * half + 8].map { start + $0 }
                values.append(SIMD8(places.map { $0 < scaled.count ? scaled[$0] : 0 }))
            }
        }
        self.values = values
    }

    /// The product with a row of finite half floats, in single precision.
    @inline(__always)
    func product(with row: UnsafeRawPointer) -> Float {
        let chunks = width / HalfRows.chunkValues
        return values.withUnsafeBufferPointer { values in
            var first = SIMD8<Float>.zero
            var second = SIMD8<Float>.zero
            for chunk in 0..<chunks {
                let (one, two) = HalfRows.widened(
                    row.loadUnaligned(fromByteOffset: HalfRows.chunkBytes &* chunk, as: SIMD16<UInt16>.self))
                first += one * values[2 &* chunk]
                second += two * values[2 &* chunk &+ 1]
            }
            if chunks &* HalfRows.chunkValues < width {
                let (one, two) = HalfRows.widened(HalfRows.chunk(chunks, of: row, width: width))
                first += one * values[2 &* chunks]
                second += two * values[2 &* chunks &+ 1]
            }
            return (first + second).sum()
        }
    }
}
