import Foundation

/// Which relative paths are safe: those that stay inside their folder on every system (docs/bundles.md, step 2).
public enum SafePath {
    private static let longest = 200

    /// What makes a path unsafe, in words; nil where it is safe.
    public static func fault(of path: String) -> String? {
        let bytes = Array(path.utf8)
        let letter = bytes.first.map { isLetter($0) } ?? false
        if bytes.first == UInt8(ascii: "/") || (letter && bytes.count > 1 && bytes[1] == UInt8(ascii: ":")) {
            return "is absolute"
        }
        let loose = bytes.split(omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\")
        }
        if loose.contains(where: { $0.elementsEqual("..".utf8) }) {
            return "leaves the folder"
        }
        if path.unicodeScalars.count > longest {
            return "is longer than \(longest) characters"
        }
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if !parts.allSatisfy(isPlain) {
            return "has a part that is not made of letters, digits and . _ + -"
        }
        return nil
    }

    /// The file of a safe path below a folder, where no link is on the way.
    ///
    /// - Throws: `BundleError.hostilePath` or `.link`.
    public static func resolve(_ path: String, in folder: URL) throws -> URL {
        if let fault = fault(of: path) {
            throw PocketClipError.bundle(.hostilePath(path: path, reason: fault))
        }
        var place = folder
        for part in path.split(separator: "/") {
            place.appendPathComponent(String(part))
            if isLink(place) {
                throw PocketClipError.bundle(.link(path: path))
            }
        }
        return place
    }

    static func isLink(_ url: URL) -> Bool {
        (try? FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType)
            == .typeSymbolicLink
    }

    private static func isPlain(_ part: ArraySlice<UInt8>) -> Bool {
        guard let first = part.first, isWord(first) else { return false }
        return part.allSatisfy { isWord($0) || ".+-".utf8.contains($0) }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
