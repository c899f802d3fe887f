import Foundation

/// What can be read from a JSON value, strictly.
public protocol JSONReadable {
    /// - Parameters:
    ///   - json: the value.
    ///   - place: where it stands, for messages.
    /// - Throws: `DocumentError`.
    init(json: JSONValue, at place: String) throws
}

/// What can be written as a JSON value.
public protocol JSONWritable {
    var json: JSONValue { get }
}

extension JSONReadable {
    /// Reads a document from a file's content.
    public init(parsing data: Data, source: String) throws {
        try self.init(json: JSONValue(parsing: data, source: source), at: source)
    }
}

/// The fields of an object that has none but those that are known.
struct JSONFields {
    private let fields: [String: JSONValue]
    private let place: String

    init(_ json: JSONValue, at place: String, known: [String]) throws {
        guard case .object(let fields) = json else {
            throw misfit(place, json, "an object")
        }
        if let other = fields.keys.filter({ !known.contains($0) }).min() {
            throw PocketClipError.document(.unknown(place: place, key: other))
        }
        self.fields = fields
        self.place = place
    }

    subscript<Value: JSONReadable>(key: String) -> Value {
        get throws {
            guard let value = fields[key] else {
                throw PocketClipError.document(.missing(place: place, key: key))
            }
            return try Value(json: value, at: "\(place).\(key)")
        }
    }

    /// A field that older writers leave out.
    func optional<Value: JSONReadable>(_ key: String) throws -> Value? {
        try fields[key].flatMap { try Value?(json: $0, at: "\(place).\(key)") }
    }
}

func misfit(_ place: String, _ found: JSONValue, _ wanted: String) -> PocketClipError {
    .document(.misfit(place: place, found: found.worded, wanted: wanted))
}

extension String: JSONReadable, JSONWritable {
    public init(json: JSONValue, at place: String) throws {
        guard case .string(let value) = json else { throw misfit(place, json, "text") }
        self = value
    }

    public var json: JSONValue { .string(self) }
}

extension Int: JSONReadable, JSONWritable {
    public init(json: JSONValue, at place: String) throws {
        guard case .integer(let value) = json else { throw misfit(place, json, "a whole number") }
        self = value
    }

    public var json: JSONValue { .integer(self) }
}

extension Double: JSONReadable, JSONWritable {
    public init(json: JSONValue, at place: String) throws {
        switch json {
        case .integer(let value): self = Double(value)
        case .number(let value) where value.isFinite: self = value
        default: throw misfit(place, json, "a finite number")
        }
    }

    public var json: JSONValue { .number(self) }
}

extension Bool: JSONReadable, JSONWritable {
    public init(json: JSONValue, at place: String) throws {
        guard case .boolean(let value) = json else { throw misfit(place, json, "true or false") }
        self = value
    }

    public var json: JSONValue { .boolean(self) }
}

extension Optional: JSONReadable where Wrapped: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        self = json == .null ? nil : try Wrapped(json: json, at: place)
    }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    public var json: JSONValue { self?.json ?? .null }
}

extension Array: JSONReadable where Element: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        guard case .array(let values) = json else { throw misfit(place, json, "a list") }
        self = try values.enumerated().map { try Element(json: $1, at: "\(place)[\($0)]") }
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    public var json: JSONValue { .array(map(\.json)) }
}

extension Dictionary: JSONReadable where Key == String, Value: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        guard case .object(let fields) = json else { throw misfit(place, json, "an object") }
        self = try Dictionary(
            uniqueKeysWithValues: fields.map { ($0, try Value(json: $1, at: "\(place).\($0)")) })
    }
}

extension Dictionary: JSONWritable where Key == String, Value: JSONWritable {
    public var json: JSONValue { .object(mapValues(\.json)) }
}

/// A vocabulary of words: read by its raw values.
public protocol JSONWord: JSONReadable, JSONWritable, RawRepresentable, CaseIterable, Sendable
where RawValue == String {}

extension JSONWord {
    public init(json: JSONValue, at place: String) throws {
        guard case .string(let word) = json, let value = Self(rawValue: word) else {
            throw misfit(place, json, "one of \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = value
    }

    public var json: JSONValue { .string(rawValue) }
}
