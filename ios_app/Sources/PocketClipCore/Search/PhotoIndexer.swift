import Foundation

/// Where photographs come from: a folder, a selection of the library.
public protocol PhotoSource: Sendable {
    /// A name by which the index of this source is kept.
    var name: String { get }

    /// All photographs there are now.
    func photos() async throws -> [PhotoReference]

    /// One of them, upright; a size that a model needs is enough.
    func image(of photo: PhotoReference) async throws -> PackedImage
}

/// How far an indexing is. `skipped` could not be read or embedded.
public struct IndexingProgress: Equatable, Sendable {
    public let done: Int
    public let total: Int
    public let skipped: Int

    public init(done: Int, total: Int, skipped: Int) {
        self.done = done
        self.total = total
        self.skipped = skipped
    }
}

/// Embeds the photographs of a source. What was done is kept now and then: a cancelled indexing goes on from there.
public actor PhotoIndexer {
    private static let savedEvery = 20

    private let engine: any ClipEncoding
    private let source: any PhotoSource
    private let file: URL
    private var index: EmbeddingIndex?

    /// - Parameter folder: where indexes are kept.
    public init(engine: any ClipEncoding, source: any PhotoSource, folder: URL = AppFolders.support) {
        self.engine = engine
        self.source = source
        let name = SHA256Digest.hex(of: Data("\(source.name)\0\(engine.identity)".utf8)).prefix(32)
        file = folder.appendingPathComponent("Indexes", isDirectory: true).appendingPathComponent("\(name).index")
    }

    /// Photographs that are in the index.
    public func count() -> Int {
        current().count
    }

    /// Embeds what is new or has changed, forgets what is gone.
    ///
    /// - Parameter progress: called after each photograph.
    /// - Throws: `CancellationError`, with all kept that was done; `StorageError` where that cannot be written.
    @discardableResult
    public func update(progress: @escaping @Sendable (IndexingProgress) -> Void) async throws -> IndexingProgress {
        let photos = try await source.photos()
        var working = current()
        working.keep(only: Set(photos))
        var latest = IndexingProgress(done: 0, total: photos.count, skipped: 0)
        var unsaved = 0
        func save() throws {
            index = working
            try working.write(to: file)
            unsaved = 0
        }
        for photo in photos {
            if Task.isCancelled {
                try save()
                throw CancellationError()
            }
            var skipped = latest.skipped
            if !working.contains(photo) {
                do {
                    let image = try await source.image(of: photo)
                    working.add(photo, try await engine.embed(image: image).values)
                    unsaved += 1
                } catch let error where error is CancellationError || Task.isCancelled {
                    try save()
                    throw CancellationError()
                } catch {
                    skipped += 1
                }
            }
            latest = IndexingProgress(done: latest.done + 1, total: photos.count, skipped: skipped)
            progress(latest)
            if unsaved >= Self.savedEvery {
                try save()
            }
        }
        try save()
        return latest
    }

    /// Photographs that fit a sentence, best first.
    public func search(_ sentence: String, most: Int) async throws -> [SearchHit] {
        let embedding = try await engine.embed(sentence: sentence)
        return current().search(embedding.values, most: most)
    }

    private func current() -> EmbeddingIndex {
        if let index {
            return index
        }
        // A damaged index is made anew: nothing is in it that the photographs do not give again.
        let found = (try? EmbeddingIndex.read(from: file, identity: engine.identity))
        let read = found ?? EmbeddingIndex(identity: engine.identity)
        index = read
        return read
    }
}
