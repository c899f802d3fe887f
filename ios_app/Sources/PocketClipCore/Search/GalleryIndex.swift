import Foundation

/// An index of photographs as it is on disk: whose rows are which, over the matrix of all rows, mapped into memory.
///
/// A copy stays as it is while a writer goes on: its rows are never overwritten, and a file that is removed stays for
/// those who have mapped it.
public struct GalleryIndex: Sendable {
    static let valueBytes = 2

    public let identity: IndexIdentity
    /// Rows of the matrix, those of forgotten photographs too.
    public private(set) var rowCount = 0
    /// Bytes of the log's whole lines.
    private(set) var logBytes = 0
    private var entries: [Entry?] = []
    private var places: [PhotoKey: Int] = [:]
    private var values = Data()

    /// A photograph and its row.
    struct Entry: Sendable {
        let photo: PhotoReference
        let row: Int
    }

    /// An index without photographs.
    public init(identity: IndexIdentity) {
        self.identity = identity
    }

    /// Photographs that can be found.
    public var count: Int { places.count }

    /// Values of a row.
    public var width: Int { identity.origin.width }

    /// Bytes of the matrix. They are of a mapped file: the system brings in what is read, and may take it back.
    public var matrixBytes: Int { rowCount * rowBytes }

    var rowBytes: Int { Self.valueBytes * width }

    /// Photographs with their rows, in the order in which they were added.
    var live: some Sequence<Entry> { entries.lazy.compactMap(\.self) }

    /// Whether the photograph is there, as it is now.
    public func contains(_ photo: PhotoReference) -> Bool {
        entry(of: photo.id)?.photo.version == photo.version
    }

    func entry(of id: String) -> Entry? {
        places[PhotoKey(id)].flatMap { entries[$0] }
    }

    /// Gives the matrix, row after row.
    func withRows<Value>(_ action: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try values.withUnsafeBytes(action)
    }

    /// Opens an index for reading.
    ///
    /// - Returns: nil where there is none.
    /// - Throws: `StorageError` or `DocumentError` where it is damaged, or of another version.
    public static func read(from folder: URL) throws -> GalleryIndex? {
        let files = GalleryFolder(folder)
        guard let identity = try files.readIdentity() else { return nil }
        var index = GalleryIndex(identity: identity)
        // Rows first, as they are written first: of each line that is found, the row is there.
        try index.map(files)
        let log = files.photos(identity.generation)
        if try files.size(of: log) != nil {
            index.logBytes = try PhotoLog.read(log) { line in
                guard let row = line.row else { return index.forget(line.photo.id) }
                // Else its row was never written: the process ended in between.
                if row < index.rowCount {
                    index.add(line.photo, row: row)
                }
            }
        }
        index.leaveOutForgotten()
        try index.checkFinite(files)
        return index
    }

    /// Whether files are as long as they were when this was read or written.
    func isCurrent(in files: GalleryFolder) throws -> Bool {
        try files.readIdentity() == identity
            && (files.size(of: files.rows(identity.generation)) ?? 0) == matrixBytes
            && (files.size(of: files.photos(identity.generation)) ?? 0) == logBytes
    }

    /// Adds a photograph, or replaces it.
    mutating func add(_ photo: PhotoReference, row: Int) {
        forget(photo.id)
        places[photo.key] = entries.count
        entries.append(Entry(photo: photo, row: row))
    }

    mutating func forget(_ id: String) {
        if let place = places.removeValue(forKey: PhotoKey(id)) {
            entries[place] = nil
        }
    }

    /// Takes note of lines that were written.
    mutating func wrote(logBytes: Int) {
        self.logBytes += logBytes
    }

    /// Maps the rows that are in the file now. A row that is not whole counts as not written.
    mutating func map(_ files: GalleryFolder) throws {
        let file = files.rows(identity.generation)
        guard let size = try files.size(of: file), size >= rowBytes else { return }
        values = try files.read(file, mapped: true)
        rowCount = values.count / rowBytes
    }

    /// Frees what only said that a photograph was forgotten.
    private mutating func leaveOutForgotten() {
        guard entries.count > places.count else { return }
        entries.removeAll { $0 == nil }
        for (place, entry) in live.enumerated() {
            places[entry.photo.key] = place
        }
    }

    private func checkFinite(_ files: GalleryFolder) throws {
        let isFinite = withRows { rows in
            live.allSatisfy { HalfRows.isFinite(rows.baseAddress! + $0.row * rowBytes, width: width) }
        }
        guard isFinite else {
            throw PocketClipError.storage(
                .damaged(
                    path: files.rows(identity.generation).lastPathComponent,
                    reason: "it has a value that is NaN or infinite"))
        }
    }
}
