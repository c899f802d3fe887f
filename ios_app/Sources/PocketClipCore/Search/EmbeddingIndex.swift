import Foundation

/// A photograph as its source names it. `version` changes when the photograph does, e.g. with its date.
public struct PhotoReference: Hashable, Sendable, Identifiable {
    public let id: String
    public let version: String

    public init(id: String, version: String) {
        self.id = id
        self.version = version
    }
}

/// A photograph with its cosine to a sentence.
public struct SearchHit: Equatable, Sendable, Identifiable {
    public let photo: PhotoReference
    public let cosine: Double

    public var id: String { photo.id }
}

/// Embeddings of photographs, of one model. It is written to the device and nowhere else.
///
/// The file: `PCIX`, version, width and the model's identity, then for each photograph id, version and values. Numbers
/// are little-endian 32-bit, texts have their length in bytes before them.
public struct EmbeddingIndex: Equatable, Sendable {
    private static let magic = Data("PCIX".utf8)
    private static let version: UInt32 = 1

    public let identity: String
    private var entries: [String: Entry] = [:]

    private struct Entry: Equatable, Sendable {
        let version: String
        let values: [Float]
    }

    /// - Parameter identity: of the model that makes the embeddings; those of another may not be compared.
    public init(identity: String) {
        self.identity = identity
    }

    public var count: Int { entries.count }

    public func contains(_ photo: PhotoReference) -> Bool {
        entries[photo.id]?.version == photo.version
    }

    public mutating func add(_ photo: PhotoReference, _ embedding: [Float]) {
        entries[photo.id] = Entry(version: photo.version, values: embedding)
    }

    /// Forgets what is not among these photographs any more.
    public mutating func keep(only photos: Set<PhotoReference>) {
        entries = entries.filter { photos.contains(PhotoReference(id: $0.key, version: $0.value.version)) }
    }

    /// The photographs nearest to an embedding of length 1, best first; equal ones by id.
    public func search(_ sentence: [Float], most: Int) -> [SearchHit] {
        let hits = entries.map {
            SearchHit(
                photo: PhotoReference(id: $0.key, version: $0.value.version),
                cosine: Vectors.dot($0.value.values, sentence))
        }
        return Array(hits.sorted { ($0.cosine, $1.id) > ($1.cosine, $0.id) }.prefix(most))
    }

    /// Reads an index.
    ///
    /// - Returns: an empty one where there is none, or one of another model.
    /// - Throws: `StorageError.damaged`.
    public static func read(from url: URL, identity: String) throws -> EmbeddingIndex {
        guard let content = try? Data(contentsOf: url) else { return EmbeddingIndex(identity: identity) }
        var reader = Reader(content, path: url.lastPathComponent)
        guard try reader.bytes(magic.count) == magic else { throw reader.damaged("it does not begin as an index does") }
        let version = try reader.number()
        guard version == Self.version else { throw reader.damaged("its version is \(version), not \(Self.version)") }
        let width = Int(try reader.number())
        guard try reader.text() == identity else { return EmbeddingIndex(identity: identity) }
        var index = EmbeddingIndex(identity: identity)
        for _ in 0..<(try reader.number()) {
            let photo = PhotoReference(id: try reader.text(), version: try reader.text())
            guard let row = Tensor(shape: [max(1, width)], type: .float32, littleEndian: try reader.bytes(4 * width)),
                row.isFinite
            else { throw reader.damaged("a value is not finite") }
            index.add(photo, row.floats)
        }
        guard reader.isAtEnd else { throw reader.damaged("it goes on after its end") }
        return index
    }

    /// Writes the index, whole or not at all.
    public func write(to url: URL) throws {
        let width = entries.first?.value.values.count ?? 0
        var content = Self.magic
        content.append(number: Self.version)
        content.append(number: UInt32(width))
        content.append(text: identity)
        content.append(number: UInt32(entries.count))
        for (id, entry) in entries.sorted(by: { $0.key < $1.key }) {
            content.append(text: id)
            content.append(text: entry.version)
            content.append(Tensor(shape: [entry.values.count], values: .float32(entry.values)).littleEndian)
        }
        try AtomicFile.write(content, to: url)
    }
}

private struct Reader {
    private let content: Data
    private let path: String
    private var place = 0

    init(_ content: Data, path: String) {
        self.content = content
        self.path = path
    }

    var isAtEnd: Bool { place == content.count }

    mutating func bytes(_ count: Int) throws -> Data {
        guard count <= content.count - place else { throw damaged("it ends too early") }
        defer { place += count }
        return Data(content[(content.startIndex + place)..<(content.startIndex + place + count)])
    }

    mutating func number() throws -> UInt32 {
        try bytes(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func text() throws -> String {
        String(decoding: try bytes(Int(try number())), as: UTF8.self)
    }

    func damaged(_ reason: String) -> PocketClipError {
        .storage(.damaged(path: path, reason: reason))
    }
}

extension Data {
    fileprivate mutating func append(number: UInt32) {
        append(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
    }

    fileprivate mutating func append(text: String) {
        append(number: UInt32(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
