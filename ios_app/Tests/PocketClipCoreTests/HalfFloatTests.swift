import XCTest

@testable import PocketClipCore

final class HalfFloatTests: XCTestCase {
    /// What a half float is by its definition.
    private func number(_ bits: UInt16) -> Double {
        let (exponent, mantissa) = (Int(bits >> 10 & 0x1f), Double(bits & 0x3ff))
        let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
        switch exponent {
        case 0: return sign * mantissa * 0x1p-24
        case 31: return mantissa == 0 ? sign * .infinity : .nan
        default: return sign * (1 + mantissa / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
    }

    func testEveryHalfFloatIsRead() {
        for bits in UInt16.min...UInt16.max {
            let (found, wanted) = (HalfFloat.float(bits), number(bits))
            if wanted.isNaN {
                XCTAssertTrue(found.isNaN, "\(bits)")
                XCTAssertEqual(found.sign, bits & 0x8000 == 0 ? .plus : .minus, "\(bits)")
            } else if Double(found) != wanted || found.sign != wanted.sign {
                XCTFail("\(bits) is \(found), \(wanted) wanted")
            }
        }
    }

    func testEveryHalfFloatIsWrittenAsItWas() {
        for bits in UInt16.min...UInt16.max {
            let value = HalfFloat.float(bits)
            let again = HalfFloat.bits(value)
            if value.isNaN {
                XCTAssertTrue(number(again).isNaN && again & 0x8000 == bits & 0x8000, "\(bits)")
            } else if again != bits {
                XCTFail("\(bits) became \(again)")
            }
        }
    }

    func testNumbersBetweenTwoHalfFloatsGoToTheNearer() {
        for bits in UInt16(0)..<0x7c00 {
            let (below, above) = (Float(number(bits)), bits == 0x7bff ? 0x1p16 : Float(number(bits + 1)))
            let middle = (below + above) / 2
            let even = bits & 1 == 0 ? bits : bits + 1
            guard HalfFloat.bits(middle) == even, HalfFloat.bits(middle.nextDown) == bits,
                HalfFloat.bits(middle.nextUp) == bits + 1, HalfFloat.bits(-middle) == even | 0x8000
            else { return XCTFail("around \(middle)") }
        }
        XCTAssertEqual(HalfFloat.bits(.greatestFiniteMagnitude), 0x7c00)
        XCTAssertEqual(HalfFloat.bits(.leastNonzeroMagnitude), 0)
    }

    func testProductsOfRowsOfAnyWidth() {
        for width in [1, 2, 7, 15, 16, 17, 24, 31, 32, 100, 512] {
            let bits = (0..<width).map(self.bits)
            let query = (0..<width).map { (place: Int) -> Float in Float(place * 29 % 64 - 32) / 64 }
            var wanted = 0.0
            for (half, value) in zip(bits, query) {
                wanted += number(half) * Double(value)
            }
            // Rows of an odd width begin anywhere.
            let rows: [UInt16] = bits + bits
            rows.withUnsafeBytes { (rows: UnsafeRawBufferPointer) in
                for row in 0..<2 {
                    let start = rows.baseAddress! + 2 * width * row
                    let found = Double(RowQuery(query).product(with: start))
                    XCTAssertEqual(found, wanted, accuracy: 1e-5, "\(width)")
                    XCTAssertEqual(HalfRows.floats(start, width: width).map(Double.init), bits.map(number))
                }
            }
        }
    }

    /// Every fifth is subnormal, every seventh negative.
    private func bits(_ place: Int) -> UInt16 {
        let magnitude: Int = place % 5 == 4 ? place % 1024 : 0x3000 + place * 37 % 0x0b00
        return UInt16(magnitude) | (place % 7 == 6 ? 0x8000 : 0)
    }

    func testWhatIsNotFiniteIsFoundAtEveryPlace() {
        for width in [1, 16, 21] {
            for place in 0..<width {
                for bits in [UInt16(0x7c00), 0xfc00, 0x7e00, 0x7c01] {
                    var row = [UInt16](repeating: 0xfbff, count: width)
                    XCTAssertTrue(row.withUnsafeBytes { HalfRows.isFinite($0.baseAddress!, width: width) })
                    row[place] = bits
                    XCTAssertFalse(row.withUnsafeBytes { HalfRows.isFinite($0.baseAddress!, width: width) })
                }
            }
        }
    }
}
