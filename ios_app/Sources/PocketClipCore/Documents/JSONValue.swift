import Foundation

/// A JSON value. Numbers without a fraction are integers where 64 bits hold them.
public enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Reads JSON text; `source` says in messages where it came from.
    ///
    /// - Throws: `DocumentError.notJSON`, also for what is nested too deep or repeats a key.
    public init(parsing data: Data, source: String) throws {
        if let fault = JSONKeys.fault(in: data) {
            throw PocketClipError.document(.notJSON(source: source, reason: "it \(fault)"))
        }
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: data)
        } catch {
            throw PocketClipError.document(.notJSON(source: source, reason: Self.reason(of: error)))
        }
    }

    /// The value as UTF-8 text, keys in alphabetical order.
    ///
    /// - Throws: `DocumentError.nonFinite` where a number is NaN or infinite.
    public func text(indented: Bool = false) throws -> Data {
        if let place = nonFinitePlace(in: "document") {
            throw PocketClipError.document(.nonFinite(place: place))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if indented {
            encoder.outputFormatting.insert(.prettyPrinted)
        }
        do {
            return try encoder.encode(self)
        } catch {
            throw PocketClipError.document(.notJSON(source: "document", reason: "\(error)"))
        }
    }

    /// What the value is, in words for messages.
    var worded: String {
        switch self {
        case .null: "null"
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "\"\(value.prefix(80))\""
        case .array(let values): "a list of \(values.count)"
        case .object: "an object"
        }
    }

    private func nonFinitePlace(in place: String) -> String? {
        switch self {
        case .number(let value):
            return value.isFinite ? nil : place
        case .array(let values):
            return values.enumerated().lazy.compactMap { $1.nonFinitePlace(in: "\(place)[\($0)]") }.first
        case .object(let fields):
            return fields.lazy.compactMap { $1.nonFinitePlace(in: "\(place).\($0)") }.first
        default:
            return nil
        }
    }

    private static func reason(of error: any Error) -> String {
        guard case DecodingError.dataCorrupted(let context) = error else { return "\(error)" }
        let underlying = (context.underlyingError as NSError?)?.userInfo[NSDebugDescriptionErrorKey] as? String
        return underlying ?? context.debugDescription
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let values = try? container.decode([JSONValue].self) {
            self = .array(values)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let values): try container.encode(values)
        case .object(let fields): try container.encode(fields)
        }
    }
}
