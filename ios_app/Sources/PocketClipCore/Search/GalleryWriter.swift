import Foundation

/// Appends to an index. There is one writer at a time; who reads has copies of `index`.
///
/// Rows are written before the lines that name them, and through to the disk: a process that is killed loses what it had
/// not written yet, and nothing else.
public final class GalleryWriter {
    // A new generation pays once so many rows are of no use, and they are half of all.
    private static let leastForgotten = 1000

    /// What is on disk.
    public private(set) var index: GalleryIndex
    private let files: GalleryFolder
    private var lock: GalleryLock?
    private let rows: FileHandle
    private let log: FileHandle
    private var latest: GalleryIndex
    private var pendingRows = Data()
    private var pendingLines = Data()

    /// Opens an index for writing, or begins one: also where the one that is there has embeddings of another model.
    ///
    /// - Parameters:
    ///   - folder: of the index.
    ///   - identity: whose embeddings come.
    ///   - known: what was read or written before; it is used where the files have not changed since.
    /// - Throws: `StorageError` or `DocumentError` where the index is damaged, cannot be written or has a writer.
    public init(opening folder: URL, identity: IndexIdentity, known: GalleryIndex? = nil) throws {
        files = GalleryFolder(folder)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw AtomicFile.worded(error, path: folder.lastPathComponent)
        }
        lock = try GalleryLock(files)
        let found =
            if let known, try known.isCurrent(in: files) { known } else { try GalleryIndex.read(from: folder) }
        if let found, found.identity.fits(identity) {
            index = found
        } else {
            files.clear()
            index = GalleryIndex(identity: identity)
            try AtomicFile.write(identity.json.text(indented: true), to: files.identity)
        }
        let generation = index.identity.generation
        files.removeGenerations(besides: generation)
        try files.cut(files.rows(generation), to: index.matrixBytes)
        try files.cut(files.photos(generation), to: index.logBytes)
        rows = try files.open(files.rows(generation))
        log = try files.open(files.photos(generation))
        latest = index
    }

    deinit {
        end()
    }

    /// Photographs that will be there after `flush`.
    public var photos: [PhotoReference] { latest.live.map(\.photo) }

    /// Whether a photograph will be there, as it is now, after `flush`.
    public func contains(_ photo: PhotoReference) -> Bool {
        latest.contains(photo)
    }

    /// Adds a photograph, or replaces it; on disk after `flush`.
    ///
    /// - Parameter embedding: of length 1.
    /// - Throws: `ModelError` where it has another width or is not finite, `DocumentError` where an id is too long.
    public func add(_ photo: PhotoReference, _ embedding: [Float]) throws {
        guard embedding.count == index.width else {
            throw PocketClipError.model(.shape(found: [embedding.count], wanted: [index.width]))
        }
        let halves = embedding.map(HalfFloat.bits)
        guard halves.allSatisfy({ HalfFloat.float($0).isFinite }) else {
            throw PocketClipError.model(.nonFinite(output: 0, sample: nil))
        }
        let row = index.rowCount + pendingRows.count / index.rowBytes
        pendingLines.append(try PhotoLine(photo, row: row).text())
        halves.map(\.littleEndian).withUnsafeBytes { pendingRows.append(contentsOf: $0) }
        latest.add(photo, row: row)
    }

    /// Forgets a photograph, where it is there; on disk after `flush`.
    public func forget(_ id: String) throws {
        guard latest.entry(of: id) != nil else { return }
        pendingLines.append(try PhotoLine(forgotten: id).text())
        latest.forget(id)
    }

    /// Writes what is pending. After an error it stays pending.
    ///
    /// - Throws: `StorageError`.
    public func flush() throws {
        guard !pendingLines.isEmpty else { return }
        do {
            // At the places where they belong: a write that failed may have left something there.
            if !pendingRows.isEmpty {
                try rows.seek(toOffset: UInt64(index.matrixBytes))
                try rows.write(contentsOf: pendingRows)
                try rows.synchronize()
            }
            try log.truncate(atOffset: UInt64(index.logBytes))
            try log.seek(toOffset: UInt64(index.logBytes))
            try log.write(contentsOf: pendingLines)
            try log.synchronize()
        } catch {
            throw AtomicFile.worded(error, path: files.url.lastPathComponent)
        }
        var next = latest
        next.wrote(logBytes: pendingLines.count)
        if !pendingRows.isEmpty {
            try next.map(files)
        }
        (latest, index) = (next, next)
        (pendingRows, pendingLines) = (Data(), Data())
    }

    /// Writes what is pending, and a new generation where half of the rows are of no use. It lets go of the index also
    /// after an error: what is pending then is lost.
    ///
    /// - Returns: the index as it is then.
    /// - Throws: `StorageError`.
    public func close() throws -> GalleryIndex {
        defer { end() }
        try flush()
        if index.rowCount - index.count >= max(Self.leastForgotten, index.rowCount / 2) {
            do {
                index = try compacted()
            } catch {
                // It would only have saved space: what is there stays in use.
                files.removeGenerations(besides: index.identity.generation)
            }
        }
        return index
    }

    /// Lets others write.
    private func end() {
        try? rows.close()
        try? log.close()
        lock = nil
    }

    /// Writes all that can be found beside what is there, and then says that it counts.
    private func compacted() throws -> GalleryIndex {
        var identity = index.identity
        identity.generation += 1
        var next = GalleryIndex(identity: identity)
        try index.withRows { matrix in
            let rows = try PieceWriter(files, files.rows(identity.generation))
            let log = try PieceWriter(files, files.photos(identity.generation))
            for (row, entry) in index.live.enumerated() {
                try rows.append(matrix[entry.row * index.rowBytes..<(entry.row + 1) * index.rowBytes])
                try log.append(PhotoLine(entry.photo, row: row).text())
                next.add(entry.photo, row: row)
            }
            _ = try rows.close()
            next.wrote(logBytes: try log.close())
        }
        try next.map(files)
        try AtomicFile.write(identity.json.text(indented: true), to: files.identity)
        files.removeGenerations(besides: identity.generation)
        return next
    }
}

/// Writes a file piece by piece.
private final class PieceWriter {
    private static let pieceBytes = 1 << 20

    private let file: FileHandle
    private let name: String
    private var pending = Data()
    private var written = 0

    init(_ files: GalleryFolder, _ url: URL) throws {
        try? FileManager.default.removeItem(at: url)
        file = try files.open(url)
        name = url.lastPathComponent
    }

    func append(_ bytes: some Sequence<UInt8>) throws {
        pending.append(contentsOf: bytes)
        if pending.count >= Self.pieceBytes {
            try write()
        }
    }

    /// Writes the rest through to the disk; returns the file's size.
    func close() throws -> Int {
        try write()
        do {
            try file.synchronize()
            try file.close()
        } catch {
            throw AtomicFile.worded(error, path: name)
        }
        return written
    }

    private func write() throws {
        do {
            try file.write(contentsOf: pending)
        } catch {
            throw AtomicFile.worded(error, path: name)
        }
        written += pending.count
        pending = Data()
    }
}
