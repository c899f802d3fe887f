import Foundation

/// What an index's log says of a photograph: its row, or that it is forgotten.
struct PhotoLine: Equatable, Sendable {
    static let mostBytes = 1 << 16
    static let idRange = "text of 1 to 4096 characters"
    private static let mostCharacters = 4096
    private static let mostVersionCharacters = 100
    private static let mostPhotos = 10_000_000

    let photo: PhotoReference
    /// nil for one that is forgotten.
    let row: Int?

    /// Of a photograph that has a row.
    ///
    /// - Throws: `DocumentError.misfit` where a text is longer than any that may be written.
    init(_ photo: PhotoReference, row: Int) throws {
        self.photo = photo
        self.row = row
        try check(at: "the photo \(photo.id.prefix(80))")
    }

    /// As it was read, before it is checked.
    fileprivate init(unchecked photo: PhotoReference, row: Int?) {
        self.photo = photo
        self.row = row
    }

    /// Of a photograph that is forgotten.
    init(forgotten id: String) {
        photo = PhotoReference(id: id, version: "")
        row = nil
    }

    static func isId(_ text: String) -> Bool {
        !text.isEmpty && isShort(text, mostCharacters)
    }

    // Counting characters takes time, and none has more of them than bytes.
    private static func isShort(_ text: String, _ most: Int) -> Bool {
        text.utf8.count <= most || text.unicodeScalars.count <= most
    }

    fileprivate func check(at place: @autoclosure () -> String) throws {
        guard Self.isId(photo.id) else { throw misfit("\(place()).photo", .string(photo.id), Self.idRange) }
        guard Self.isShort(photo.version, Self.mostVersionCharacters) else {
            throw misfit("\(place()).version", .string(photo.version), "text of at most 100 characters")
        }
        guard Self.isShort(photo.name ?? "", Self.mostCharacters) else {
            throw misfit("\(place()).name", .string(photo.name ?? ""), "text of at most 4096 characters")
        }
        if let row, !(0...Self.mostPhotos).contains(row) {
            throw misfit("\(place()).row", .integer(row), "0 to \(Self.mostPhotos)")
        }
    }
}

extension PhotoLine: JSONReadable {
    init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["photo", "version", "row", "name"])
        let version: String? = try fields.optional("version")
        photo = PhotoReference(
            id: try fields["photo"], version: version ?? "", name: try fields.optional("name"))
        let row: Int? = try fields.optional("row")
        self.row = version == nil ? nil : row
        try check(at: place)
    }

    /// Reads a line.
    ///
    /// - Throws: `DocumentError`.
    static func read(_ text: UnsafeRawBufferPointer, source: @autoclosure () -> String) throws -> PhotoLine {
        var plain = PlainLine(text)
        guard let line = plain.read() else { return try PhotoLine(parsing: Data(text), source: source()) }
        try line.check(at: source())
        return line
    }

    /// The line with its end, with the fields in the order in which Python writes them.
    func text() throws -> Data {
        var text = "{\"photo\": \(try Self.quoted(photo.id))"
        if let row {
            text += ", \"version\": \(try Self.quoted(photo.version)), \"row\": \(row)"
            if let name = photo.name {
                text += ", \"name\": \(try Self.quoted(name))"
            }
        }
        return Data((text + "}\n").utf8)
    }

    private static func quoted(_ text: String) throws -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        return isPlain ? "\"\(text)\"" : String(decoding: try JSONValue.string(text).text(), as: UTF8.self)
    }
}

/// Reads lines of exactly the form in which they are written, many times faster than a JSON reader reads any form.
private struct PlainLine {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// nil where the line has another form, which need not be wrong.
    mutating func read() -> PhotoLine? {
        guard skip("{\"photo\": \""), let id = text() else { return nil }
        if skip("}") {
            return place == bytes.count ? PhotoLine(forgotten: id) : nil
        }
        guard skip(", \"version\": \""), let version = text(), skip(", \"row\": "), let row = number() else {
            return nil
        }
        var name: String?
        if skip(", \"name\": \"") {
            name = text()
            if name == nil { return nil }
        }
        guard skip("}"), place == bytes.count else { return nil }
        return PhotoLine(unchecked: PhotoReference(id: id, version: version, name: name), row: row)
    }

    private mutating func skip(_ word: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes.count - place >= wanted.count, bytes[place..<place + wanted.count].elementsEqual(wanted) else {
            return false
        }
        place += wanted.count
        return true
    }

    /// Text up to its quotation mark; nil where it holds an escape or a control character, or is not UTF-8.
    private mutating func text() -> String? {
        let start = place
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            guard bytes[place] >= 0x20, bytes[place] != UInt8(ascii: "\\") else { return nil }
            place += 1
        }
        guard place < bytes.count else { return nil }
        defer { place += 1 }
        return String(bytes: bytes[start..<place], encoding: .utf8)
    }

    /// A whole number without a sign, of so few digits that it fits.
    private mutating func number() -> Int? {
        let start = place
        var value = 0
        while place < bytes.count, case let digit = bytes[place] &- UInt8(ascii: "0"), digit < 10, place - start < 9 {
            value = value * 10 + Int(digit)
            place += 1
        }
        let isPlain = place == start + 1 || place > start && bytes[start] != UInt8(ascii: "0")
        return isPlain ? value : nil
    }
}
