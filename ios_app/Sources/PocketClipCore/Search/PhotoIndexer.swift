import Foundation

/// How far an indexing is. `skipped` could not be read.
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

/// Embeds the photographs of a source and finds them again. What was embedded is kept now and then: a cancelled indexing
/// goes on from there. Searching sees what was kept last, also while an indexing goes on.
public actor PhotoIndexer {
    private static let savedEvery = 20

    private let engine: any ClipEncoding
    private let source: any PhotoSource
    private let indexes: URL
    private let folder: URL
    private var index: GalleryIndex?

    /// - Parameter folder: where indexes are kept.
    public init(engine: any ClipEncoding, source: any PhotoSource, folder: URL = AppFolders.support) {
        self.engine = engine
        self.source = source
        // Another model has an index of its own: who goes back to the first finds all that was embedded.
        let name = SHA256Digest.hex(of: Data("\(source.name)\0\(engine.origin.imageSha256)".utf8)).prefix(32)
        indexes = folder.appendingPathComponent("Indexes", isDirectory: true)
        self.folder = indexes.appendingPathComponent(String(name), isDirectory: true)
    }

    /// Photographs that are in the index.
    public func count() -> Int {
        current()?.count ?? 0
    }

    /// Embeds what is new or has changed, forgets what is gone.
    ///
    /// - Parameter progress: called after each photograph.
    /// - Throws: `CancellationError` or the `ModelError` of a tower that fails, with all kept that was done;
    ///   `StorageError` where that cannot be written.
    @discardableResult
    public func update(progress: @escaping @Sendable (IndexingProgress) -> Void) async throws -> IndexingProgress {
        let photos = try await source.photos()
        let writer = try openWriter()
        let ids = Set(photos.map(\.key))
        for photo in writer.photos where !ids.contains(photo.key) {
            try writer.forget(photo.id)
        }
        try writer.flush()
        index = writer.index
        var latest = IndexingProgress(done: 0, total: photos.count, skipped: 0)
        var unsaved = 0
        for photo in photos {
            var skipped = latest.skipped
            do {
                try Task.checkCancellation()
                if !writer.contains(photo) {
                    let image = try await source.image(of: photo)
                    try writer.add(photo, try await engine.embed(image: image).values)
                    unsaved += 1
                }
            } catch let error where error is CancellationError || Task.isCancelled {
                index = try writer.close()
                throw CancellationError()
            } catch let error as PocketClipError where error.isOfAllPhotos {
                index = try writer.close()
                throw error
            } catch {
                skipped += 1
                // One that changed into something unreadable is no longer what its row says.
                try writer.forget(photo.id)
            }
            latest = IndexingProgress(done: latest.done + 1, total: photos.count, skipped: skipped)
            progress(latest)
            if unsaved >= Self.savedEvery {
                try writer.flush()
                index = writer.index
                unsaved = 0
            }
        }
        index = try writer.close()
        return latest
    }

    /// Photographs that fit a sentence, best first.
    public func search(_ sentence: String, most: Int) async throws -> [SearchHit] {
        let embedding = try await engine.embed(sentence: sentence)
        return try current()?.nearest(to: embedding.values, most: most) ?? []
    }

    /// Photographs that resemble one that is in the index, best first, without itself.
    public func similar(to photo: PhotoReference, most: Int) -> [SearchHit] {
        current()?.similar(to: photo, most: most) ?? []
    }

    /// Groups of duplicates and near-duplicates; see `GalleryIndex.similarGroups`.
    public func duplicates(
        leastCosine: Double = SimilarGroup.nearDuplicates, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> [SimilarGroup] {
        try await current()?.similarGroups(leastCosine: leastCosine, progress: progress) ?? []
    }

    /// What is found now. An index that is damaged or of another model is none: the next `update` makes it anew.
    private func current() -> GalleryIndex? {
        if index == nil, let own = try? identity(), let found = try? GalleryIndex.read(from: folder),
            found.identity.fits(own)
        {
            index = found
        }
        return index
    }

    private func identity() throws -> IndexIdentity {
        try IndexIdentity(origin: engine.origin, folder: source.name)
    }

    private func openWriter() throws -> GalleryWriter {
        let identity = try identity()
        AppFolders.keepOutOfBackups(indexes)
        removeFormerIndexes()
        do {
            return try GalleryWriter(opening: folder, identity: identity, known: index)
        } catch PocketClipError.document, PocketClipError.storage(.damaged) {
            // It is made anew: nothing is in it that the photographs do not give again.
            GalleryFolder(folder).clear()
            return try GalleryWriter(opening: folder, identity: identity)
        }
    }

    /// Removes what versions of the app before this one kept: single files.
    private func removeFormerIndexes() {
        let found = try? FileManager.default.contentsOfDirectory(at: indexes, includingPropertiesForKeys: nil)
        for file in found ?? [] where file.pathExtension == "index" {
            try? FileManager.default.removeItem(at: file)
        }
    }
}

extension PocketClipError {
    /// Whether it would come again with every other photograph; what is left is a photograph that cannot be read.
    fileprivate var isOfAllPhotos: Bool {
        switch self {
        case .image, .storage(.unreadable): false
        case .document, .bundle, .labels, .model, .job, .storage: true
        }
    }
}
