import Foundation

/// What Python's `ftfy.fix_text` does to text that people type.
///
/// Left out is its search for mojibake, text decoded by another encoding than it was written in, which no keyboard makes.
enum TextRepair {
    static func repair(_ text: String) -> String {
        var unescapes = true
        var result = ""
        var line = String.UnicodeScalarView()
        func finish() {
            // As in ftfy: from the first line with a tag on, references are taken for HTML and kept.
            unescapes = unescapes && !line.contains("<")
            result += repairedLine(String(line), unescapes: unescapes)
            line = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            line.append(scalar)
            if scalar == "\n" {
                finish()
            }
        }
        finish()
        return result
    }

    private static func repairedLine(_ line: String, unescapes: Bool) -> String {
        var text = line
        while true {
            let before = text
            if unescapes {
                text = unescapeUnambiguous(text)
            }
            text = replaceCharacters(text)
            text = unifyLineBreaks(text)
            text = removeControls(removeTerminalEscapes(text))
            text = text.precomposedStringWithCanonicalMapping
            if text.unicodeScalars.elementsEqual(before.unicodeScalars) {
                return text
            }
        }
    }

    /// References that end in a semicolon, and those of plain names in capitals.
    private static func unescapeUnambiguous(_ text: String) -> String {
        guard text.unicodeScalars.contains("&") else { return text }
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var place = 0
        while place < scalars.count {
            if scalars[place] == "&", let end = endOfReference(scalars, after: place) {
                var reference = String.UnicodeScalarView()
                reference.append(contentsOf: scalars[place..<end])
                result.append(contentsOf: replaced(String(reference)).unicodeScalars)
                place = end
            } else {
                result.append(scalars[place])
                place += 1
            }
        }
        return String(result)
    }

    private static func endOfReference(_ scalars: [Unicode.Scalar], after ampersand: Int) -> Int? {
        var end = ampersand + 1
        if end < scalars.count, scalars[end] == "#" {
            end += 1
        }
        let start = end
        while end < scalars.count, scalars[end].isASCII, scalars[end].properties.isAlphabetic || isDigit(scalars[end]) {
            end += 1
        }
        guard (1...24).contains(end - start), end < scalars.count, scalars[end] == ";" else { return nil }
        return end + 1
    }

    private static func replaced(_ reference: String) -> String {
        if reference.hasPrefix("&#") {
            let unescaped = HTMLUnescape.unescape(reference)
            return unescaped.contains(";") ? reference : unescaped
        }
        let name = String(reference.dropFirst())
        if let found = HTMLUnescape.named[name] {
            return found
        }
        let isCapital = name == name.uppercased() && name != name.lowercased()
        if isCapital, let found = HTMLUnescape.named[name.lowercased()], HTMLUnescape.unescape(reference) == reference {
            return found.uppercased()
        }
        return reference
    }

    /// C1 controls as Windows-1252, ligatures as letters, standard widths, straight quotes.
    private static func replaceCharacters(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x80...0x9F:
                result.append(HTMLUnescape.windows1252(UInt8(scalar.value)) ?? scalar)
            case 0x2BC, 0x2018...0x201B:
                result.append("'")
            case 0x201C...0x201F:
                result.append("\"")
            case 0x3000:
                result.append(" ")
            case 0xFF01...0xFFEF:
                result.append(contentsOf: String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars)
            default:
                if let letters = ligatures[scalar] {
                    result.append(contentsOf: letters.unicodeScalars)
                } else {
                    result.append(scalar)
                }
            }
        }
        return String(result)
    }

    private static let ligatures: [Unicode.Scalar: String] = [
        "\u{132}": "IJ", "\u{133}": "ij", "\u{149}": "'n", "\u{1F1}": "DZ", "\u{1F2}": "Dz", "\u{1F3}": "dz",
        "\u{1C4}": "D\u{17D}", "\u{1C5}": "D\u{17E}", "\u{1C6}": "d\u{17E}", "\u{1C7}": "LJ", "\u{1C8}": "Lj",
        "\u{1C9}": "lj", "\u{1CA}": "NJ", "\u{1CB}": "Nj", "\u{1CC}": "nj", "\u{FB00}": "ff", "\u{FB01}": "fi",
        "\u{FB02}": "fl", "\u{FB03}": "ffi", "\u{FB04}": "ffl", "\u{FB05}": "\u{17F}t", "\u{FB06}": "st",
    ]

    private static func unifyLineBreaks(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\r", "\u{2028}", "\u{2029}", "\u{85}": result.append("\n")
            case "\n" where previous == "\r": break
            default: result.append(scalar)
            }
            previous = scalar
        }
        return String(result)
    }

    private static func removeTerminalEscapes(_ text: String) -> String {
        guard text.unicodeScalars.contains("\u{1B}") else { return text }
        return text.replacingOccurrences(of: "\u{1B}\\[[0-9;]*[a-zA-Z]", with: "", options: .regularExpression)
    }

    private static func removeControls(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0...0x8, 0xB, 0xE...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: break
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        ("0"..."9").contains(scalar)
    }
}
