import Foundation

/// Looks at JSON text before it is read by recursion: how deep it goes, and whether an object holds a key twice, of
/// which Foundation would silently take one.
enum JSONKeys {
    static let deepest = 64
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// What is wrong, in words that complete "it"; nil where nothing is, or where the text is no JSON anyway.
    static func fault(in data: Data) -> String? {
        let bytes = [UInt8](data)
        // The keys of each object that is open; nil for a list.
        var open: [Set<[UInt8]>?] = []
        var key: [UInt8] = []
        var place = 0
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if open.count == deepest { return "is nested deeper than \(deepest) levels" }
                open.append(bytes[place] == UInt8(ascii: "{") ? [] : nil)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = open.popLast()
            case quote:
                let end = end(of: bytes, from: place)
                key = Array(bytes[place...min(end, bytes.count - 1)])
                place = end
            // Only a text in an object has a colon behind it.
            case UInt8(ascii: ":"):
                let word = unescaped(key)
                if let last = open.last, last != nil, open[open.count - 1]?.insert(word).inserted == false {
                    return "holds the key \"\(String(decoding: word, as: UTF8.self).prefix(80))\" twice"
                }
            default: break
            }
            place += 1
        }
        return nil
    }

    /// The place of the quotation mark that closes the one at `start`.
    private static func end(of bytes: [UInt8], from start: Int) -> Int {
        var place = start + 1
        while place < bytes.count, bytes[place] != quote {
            place += bytes[place] == backslash ? 2 : 1
        }
        return place
    }

    private static func unescaped(_ quoted: [UInt8]) -> [UInt8] {
        let plain = Array(quoted.dropFirst().dropLast())
        guard plain.contains(backslash) else { return plain }
        let whole = Data([UInt8(ascii: "[")] + quoted + [UInt8(ascii: "]")])
        return (try? JSONDecoder().decode([String].self, from: whole)).flatMap(\.first).map { Array($0.utf8) } ?? plain
    }
}
