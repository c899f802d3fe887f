import Foundation
import Observation
import PocketClipCore

/// How the index of the chosen photographs is.
///
///     none -> indexing -> ready
///               |  \-> failed
///               \-> paused -> indexing
public enum IndexState: Equatable, Sendable {
    /// No photographs are chosen.
    case none
    case indexing(IndexingProgress)
    /// Cancelled; what was done is kept.
    case paused(indexed: Int)
    case ready(indexed: Int, skipped: Int)
    case failed(message: String)
}

/// What was found among the photographs, whatever was looked for last.
public enum FoundPhotos: Equatable, Sendable {
    case nothing
    case bySentence([SearchHit])
    case similar(to: PhotoReference, [SearchHit])
    /// Every photograph is being compared with every other; the share of that which is done.
    case comparing(share: Double)
    case duplicates([SimilarGroup])
}

/// Finds photographs by a sentence or by one of them, and duplicates among them; their embeddings stay on the device.
@MainActor
@Observable
public final class SearchModel {
    public private(set) var state: IndexState = .none
    public private(set) var found: FoundPhotos = .nothing
    public private(set) var searchFault: String?
    public var sentence = ""

    /// Whether photographs are indexed or compared: a phone that goes to sleep would stop it.
    public var isBusy: Bool {
        switch (state, found) {
        case (.indexing, _), (_, .comparing): true
        default: false
        }
    }

    private let engine: any ClipEncoding
    private let folder: URL
    private let most: Int
    private var indexer: PhotoIndexer?
    private var indexing: Task<Void, Never>?
    private var comparing: Task<Void, Never>?
    private var generation = 0
    private var searches = 0

    /// - Parameters:
    ///   - engine: what embeds.
    ///   - folder: where indexes are kept.
    ///   - most: so many photographs are shown.
    public init(engine: any ClipEncoding, folder: URL = AppFolders.support, most: Int = 60) {
        self.engine = engine
        self.folder = folder
        self.most = most
    }

    /// Takes photographs of another source, and begins to index them in the background.
    public func choose(_ source: any PhotoSource) {
        indexing?.cancel()
        _ = beginSearch()
        found = .nothing
        indexer = PhotoIndexer(engine: engine, source: source, folder: folder)
        resume()
    }

    /// Goes on where a cancelled indexing stopped, or looks for new photographs.
    public func resume() {
        guard let indexer else { return }
        generation += 1
        let own = generation
        state = .indexing(IndexingProgress(done: 0, total: 0, skipped: 0))
        let earlier = indexing
        indexing = Task { [weak self] in
            await earlier?.value
            await self?.index(with: indexer, own)
        }
    }

    public func cancel() {
        indexing?.cancel()
    }

    /// Ends all that goes on in the background; what was indexed is kept.
    public func leave() {
        cancel()
        cancelComparing()
    }

    /// Waits until indexing has ended, by whatever way.
    public func finishIndexing() async {
        await indexing?.value
    }

    /// Finds what fits the sentence.
    public func findBySentence() async {
        let words = sentence.trimmingCharacters(in: .whitespacesAndNewlines)
        let own = beginSearch()
        guard let indexer, !words.isEmpty else {
            found = .nothing
            return
        }
        do {
            let hits = try await indexer.search(words, most: most)
            show(.bySentence(hits), own)
        } catch {
            show(fault: error, own)
        }
    }

    /// Finds what resembles a photograph that was found.
    public func findSimilar(to photo: PhotoReference) async {
        guard let indexer else { return }
        let own = beginSearch()
        show(.similar(to: photo, await indexer.similar(to: photo, most: most)), own)
    }

    /// Begins to look for duplicates and near-duplicates in the background.
    public func findDuplicates() {
        guard let indexer else { return }
        let own = beginSearch()
        found = .comparing(share: 0)
        comparing = Task { [weak self] in
            await self?.compare(with: indexer, own)
        }
    }

    public func cancelComparing() {
        comparing?.cancel()
    }

    /// Waits until no duplicates are looked for any more.
    public func finishComparing() async {
        await comparing?.value
    }

    private func compare(with indexer: PhotoIndexer, _ own: Int) async {
        do {
            let groups = try await indexer.duplicates { share in
                Task { @MainActor [weak self] in self?.show(share: share, own) }
            }
            show(.duplicates(groups), own)
        } catch {
            show(.nothing, own)
            if !(error is CancellationError) {
                show(fault: error, own)
            }
        }
    }

    /// What was looked for before is no longer waited for.
    private func beginSearch() -> Int {
        comparing?.cancel()
        searches += 1
        return searches
    }

    private func show(_ photos: FoundPhotos, _ own: Int) {
        guard own == searches else { return }
        found = photos
        searchFault = nil
    }

    private func show(fault: any Error, _ own: Int) {
        if own == searches {
            searchFault = message(of: fault)
        }
    }

    private func show(share: Double, _ own: Int) {
        // Told late, after the end: the end counts.
        guard own == searches, case .comparing(let shown) = found, share > shown else { return }
        found = .comparing(share: share)
    }

    private func index(with indexer: PhotoIndexer, _ own: Int) async {
        do {
            let last = try await indexer.update { progress in
                Task { @MainActor [weak self] in self?.show(progress, own) }
            }
            let indexed = await indexer.count()
            if own == generation {
                state = .ready(indexed: indexed, skipped: last.skipped)
            }
        } catch is CancellationError {
            let indexed = await indexer.count()
            if own == generation {
                state = .paused(indexed: indexed)
            }
        } catch {
            if own == generation {
                state = .failed(message: message(of: error))
            }
        }
    }

    private func show(_ progress: IndexingProgress, _ own: Int) {
        // Told late, after the end: the end counts.
        guard own == generation, case .indexing(let shown) = state, progress.done > shown.done else { return }
        state = .indexing(progress)
    }
}
