import Foundation

/// The steps that text goes through before it is split (docs/bundles.md, tokenizer, step 1).
enum TextCleaning {
    static func clean(_ text: String, by steps: [Cleaning]) -> String {
        steps.reduce(text) { text, step in
            switch step {
            case .ftfy: TextRepair.repair(text)
            case .htmlUnescape: HTMLUnescape.unescape(text)
            case .collapseWhitespace: collapseWhitespace(text)
            case .lower: lower(text)
            }
        }
    }

    /// One space for each run of whitespace, none at the ends.
    static func collapseWhitespace(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for word in text.unicodeScalars.split(whereSeparator: isWhitespace) {
            if !result.isEmpty {
                result.append(" ")
            }
            result.append(contentsOf: word)
        }
        return String(result)
    }

    /// Lower case by Unicode's rules, of no language: a Σ at a word's end becomes ς, as Python has it.
    static func lower(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        for (place, scalar) in scalars.enumerated() {
            if scalar == "\u{3A3}" {
                result.append(endsWord(scalars, at: place) ? "\u{3C2}" : "\u{3C3}")
            } else {
                result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            }
        }
        return String(result)
    }

    private static func endsWord(_ scalars: [Unicode.Scalar], at place: Int) -> Bool {
        let before = scalars[..<place].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(place + 1)...].first { !$0.properties.isCaseIgnorable }
        return before?.properties.isCased == true && after?.properties.isCased != true
    }

    /// What Python's `str.split` splits at.
    static func isWhitespace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x9...0xD, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }
}
