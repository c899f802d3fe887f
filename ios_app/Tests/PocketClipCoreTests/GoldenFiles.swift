import Foundation
import XCTest

@testable import PocketClipCore

/// The golden files that Kotlin's, Swift's and Python's tests share (`tests/app_golden`).
enum GoldenFiles {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("tests/app_golden", isDirectory: true)

    static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: Data(contentsOf: folder.appendingPathComponent(name)), source: name)
    }

    static func tensor(_ stored: StoredTensor) throws -> Tensor {
        let content = try Data(contentsOf: folder.appendingPathComponent(stored.file))
        return try XCTUnwrap(Tensor(shape: stored.shape, type: stored.type, littleEndian: content), stored.file)
    }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        let spec = try TokenizerSpec(json: json("tokenizer_\(name).json"), at: name)
        return try Tokenizer(spec, merges: tensor(spec.merges), keptIds: spec.keptIds.map(tensor))
    }
}

extension JSONValue {
    /// A field of an object; null where there is none.
    subscript(_ key: String) -> JSONValue {
        guard case .object(let fields) = self else { return .null }
        return fields[key] ?? .null
    }

    var items: [JSONValue] {
        guard case .array(let values) = self else { return [] }
        return values
    }

    func read<Value: JSONReadable>(_ key: String, as: Value.Type = Value.self) throws -> Value {
        try Value(json: self[key], at: key)
    }

    /// The names of all fields, those of objects inside with a dot; lists by their first element.
    var shape: Set<String> {
        switch self {
        case .object(let fields):
            fields.reduce(into: []) { names, field in
                names.insert(field.key)
                names.formUnion(field.value.shape.map { "\(field.key).\($0)" })
            }
        case .array(let values): values.first?.shape ?? []
        default: []
        }
    }
}

/// The code that a call fails with, and its message.
func failure(_ action: () throws -> Void) -> PocketClipError? {
    do {
        try action()
        return nil
    } catch {
        return error as? PocketClipError
    }
}
