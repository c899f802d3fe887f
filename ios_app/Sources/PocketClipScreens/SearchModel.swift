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

/// Finds photographs by a sentence; their embeddings stay on the device.
@MainActor
@Observable
public final class SearchModel {
    public private(set) var state: IndexState = .none
    public private(set) var hits: [SearchHit] = []
    public private(set) var searchFault: String?
    public var sentence = ""

    private let engine: any ClipEncoding
    private let folder: URL
    private let most: Int
    private var indexer: PhotoIndexer?
    private var task: Task<Void, Never>?
    private var generation = 0

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
        task?.cancel()
        hits = []
        indexer = PhotoIndexer(engine: engine, source: source, folder: folder)
        resume()
    }

    /// Goes on where a cancelled indexing stopped, or looks for new photographs.
    public func resume() {
        guard let indexer else { return }
        generation += 1
        let own = generation
        state = .indexing(IndexingProgress(done: 0, total: 0, skipped: 0))
        let earlier = task
        task = Task { [weak self] in
            await earlier?.value
            await self?.index(with: indexer, own)
        }
    }

    public func cancel() {
        task?.cancel()
    }

    /// Waits until indexing has ended, by whatever way.
    public func finishIndexing() async {
        await task?.value
    }

    public func search() async {
        let words = sentence.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let indexer, !words.isEmpty else {
            hits = []
            return
        }
        do {
            let found = try await indexer.search(words, most: most)
            // What was typed meanwhile has a search of its own.
            if words == sentence.trimmingCharacters(in: .whitespacesAndNewlines) {
                hits = found
                searchFault = nil
            }
        } catch {
            searchFault = message(of: error)
        }
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
