/// HTML's character references as characters, by the rules of Python's `html.unescape`.
enum HTMLUnescape {
    private static let longestName = 32
    private static let replacement: Unicode.Scalar = "\u{FFFD}"

    /// Names without `&`, with their `;` where they end in one.
    static let named: [String: String] = {
        var table: [String: String] = [:]
        for entry in htmlEntityTable.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            let parts = entry.split(separator: "=", maxSplits: 1)
            var text = String.UnicodeScalarView()
            for number in parts[1].split(separator: "+") {
                text.append(Unicode.Scalar(UInt32(number, radix: 16)!)!)
            }
            table[String(parts[0])] = String(text)
        }
        return table
    }()

    static func unescape(_ text: String) -> String {
        guard text.unicodeScalars.contains("&") else { return text }
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var place = 0
        while place < scalars.count {
            if scalars[place] == "&", let end = endOfReference(scalars, after: place) {
                result.append(contentsOf: replaced(scalars[(place + 1)..<end]).unicodeScalars)
                place = end
            } else {
                result.append(scalars[place])
                place += 1
            }
        }
        return String(result)
    }

    /// Where the reference that begins at `&` ends; nil where there is none.
    private static func endOfReference(_ scalars: [Unicode.Scalar], after ampersand: Int) -> Int? {
        var end = ampersand + 1
        guard end < scalars.count else { return nil }
        if scalars[end] == "#" {
            end += 1
            let isHex = end < scalars.count && (scalars[end] == "x" || scalars[end] == "X")
            end += isHex ? 1 : 0
            let digits = end
            while end < scalars.count, digitValue(scalars[end], radix: isHex ? 16 : 10) != nil {
                end += 1
            }
            guard end > digits else { return nil }
        } else {
            let start = end
            let excluded: [Unicode.Scalar] = ["\t", "\n", "\u{C}", " ", "<", "&", "#", ";"]
            while end < scalars.count, end - start < longestName, !excluded.contains(scalars[end]) {
                end += 1
            }
            guard end > start else { return nil }
        }
        return end < scalars.count && scalars[end] == ";" ? end + 1 : end
    }

    private static func replaced(_ reference: ArraySlice<Unicode.Scalar>) -> String {
        if reference.first == "#" {
            return numeric(reference.dropFirst())
        }
        if let found = named[text(reference)] {
            return found
        }
        // The longest name that it begins with, as the standard has it.
        for length in stride(from: reference.count - 1, through: 2, by: -1) {
            if let found = named[text(reference.prefix(length))] {
                return found + text(reference.dropFirst(length))
            }
        }
        return "&" + text(reference)
    }

    private static func numeric(_ reference: ArraySlice<Unicode.Scalar>) -> String {
        let isHex = reference.first == "x" || reference.first == "X"
        let radix: UInt32 = isHex ? 16 : 10
        var number: UInt32 = 0
        for scalar in reference.dropFirst(isHex ? 1 : 0) where scalar != ";" {
            number = min(number * radix + (digitValue(scalar, radix: radix) ?? 0), 0x11_0000)
        }
        if number == 0 {
            return String(replacement)
        }
        if (0x80...0x9F).contains(number), let scalar = windows1252(UInt8(number)) {
            return String(scalar)
        }
        guard let scalar = Unicode.Scalar(number) else { return String(replacement) }
        return isInvalid(number) ? "" : String(scalar)
    }

    /// What Windows-1252 has for a byte from 0x80 to 0x9F; the byte's own number where it has nothing.
    static func windows1252(_ byte: UInt8) -> Unicode.Scalar? {
        let table: [UInt32] = [
            0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,
            0x017D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
            0x0153, 0x9D, 0x017E, 0x0178,
        ]
        return (0x80...0x9F).contains(byte) ? Unicode.Scalar(table[Int(byte) - 0x80]) : nil
    }

    private static func isInvalid(_ number: UInt32) -> Bool {
        switch number {
        case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F...0x9F, 0xFDD0...0xFDEF: true
        default: number & 0xFFFE == 0xFFFE
        }
    }

    private static func digitValue(_ scalar: Unicode.Scalar, radix: UInt32) -> UInt32? {
        let value: UInt32
        switch scalar {
        case "0"..."9": value = scalar.value - 0x30
        case "a"..."f": value = scalar.value - 0x61 + 10
        case "A"..."F": value = scalar.value - 0x41 + 10
        default: return nil
        }
        return value < radix ? value : nil
    }

    private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
