/// Half-precision numbers by their 16 bits, because Swift has no `Float16` on Macs with Intel processors.
enum HalfFloat {
    /// 2 to the power by which the exponents of both precisions are apart.
    static let exponentGap: Float = 0x1p112

    private static let signMask: UInt16 = 0x8000
    private static let infinity: UInt16 = 0x7c00
    private static let quiet: UInt16 = 0x0200

    /// The number that the bits mean.
    static func float(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & signMask) << 16
        // Exponent and mantissa at the places where single precision has them.
        let magnitude = UInt32(bits & ~signMask) << 13
        if bits & infinity == infinity {
            return Float(bitPattern: sign | magnitude | Float.infinity.bitPattern)
        }
        return Float(bitPattern: sign | (Float(bitPattern: magnitude) * exponentGap).bitPattern)
    }

    /// The bits of the nearest half float, of two that are as near the even one: as numpy does it.
    static func bits(_ value: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & signMask
        let magnitude = value.magnitude
        if magnitude.isNaN {
            return sign | infinity | quiet | UInt16(truncatingIfNeeded: magnitude.bitPattern >> 13) & (quiet - 1)
        }
        if magnitude >= 0x1p16 {
            return sign | infinity
        }
        if magnitude < 0x1p-14 {
            // In this sum, the last place is worth what the least half float is: the sum itself rounds.
            return sign | UInt16((magnitude + 0.5).bitPattern - Float(0.5).bitPattern)
        }
        let places = magnitude.bitPattern - (112 << 23)
        let roundsUp: UInt32 = places >> 13 & 1
        return sign | UInt16((places + 0xfff + roundsUp) >> 13)
    }
}
