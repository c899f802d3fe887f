import Foundation

extension PromptTemplates {
    private static let article = try? NSRegularExpression(pattern: "\\ba (?=[aeiou])")

    /// A label's sentences, one for each template.
    public func prompts(for label: String) -> [String] {
        texts.map { text in
            let filled = text.replacingOccurrences(of: "{}", with: label)
            guard articles == .english, let article = Self.article else { return filled }
            let whole = NSRange(filled.startIndex..., in: filled)
            return article.stringByReplacingMatches(in: filled, range: whole, withTemplate: "an ")
        }
    }
}

/// Labels as people type them.
public enum LabelList {
    /// Labels of a text, apart by commas or line ends, without spaces around them.
    ///
    /// - Throws: `LabelError`.
    public static func parse(_ text: String) throws -> [String] {
        let labels = text.split(whereSeparator: { $0 == "," || $0.isNewline })
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
        guard !labels.isEmpty else { throw PocketClipError.labels(.none) }
        var seen: Set<String> = []
        for label in labels {
            guard seen.insert(label).inserted else { throw PocketClipError.labels(.repeated(label)) }
            guard !label.unicodeScalars.contains("\0") else { throw PocketClipError.labels(.zeroCharacter(label)) }
        }
        return labels
    }
}
