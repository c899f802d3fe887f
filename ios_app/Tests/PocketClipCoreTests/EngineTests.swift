import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class EngineTests: XCTestCase {
    private var temporary: TemporaryFolder!
    private var bundle: ClipBundle!

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
        let builder = try BundleBuilder(in: temporary.url, goldens: GoldenFiles.folder)
        try builder.write()
        bundle = try ClipBundle(opening: builder.folder)
    }

    override func tearDown() {
        bundle = nil
        temporary = nil
    }

    func testSelfTestPasses() async throws {
        let report = try await SelfTest(bundle, runtimes: [FakeRuntime()]).run()
        XCTAssertEqual(report.checks.filter { !$0.passed }, [])
        XCTAssertEqual(report.checks.count, 18)
        XCTAssertEqual(Set(report.checks.map(\.part)), ["image", "text", "labels"])
    }

    func testSelfTestFindsAnotherModel() async throws {
        let report = try await SelfTest(bundle, runtimes: [FakeRuntime(.otherModel)]).run()
        XCTAssertFalse(report.passed)
        XCTAssertTrue(report.checks.contains { $0.name == "golden outputs: cosine" && !$0.passed })
    }

    func testSelfTestNamesNaN() async throws {
        let report = try await SelfTest(bundle, runtimes: [FakeRuntime(.nonFinite)]).run()
        let failed = report.checks.filter { !$0.passed }
        XCTAssertTrue(failed.allSatisfy { $0.value == nil && $0.note != nil })
        XCTAssertTrue(failed.contains { $0.note?.contains("NaN") == true })
    }

    /// The lines of ios_app/README.md: tests/ios_app compares them.
    func testTheExampleOfTheReadme() async throws {
        let folder = bundle.folder
        let image = try bundle.image(bundle.manifest.endToEnd.images[0])
        let runtimes: [any ModelRuntime] = [FakeRuntime()]
        let engine = try ClipEngine(ClipBundle(opening: folder), runtimes: runtimes)
        let found = try await engine.classify(image, labels: ["a red circle", "a blue square"])
        print(found.guesses[0].label, found.guesses[0].probability)
        XCTAssertEqual(found.guesses.count, 2)
    }

    func testStoredLabelsNeedNoTextTower() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let image = try bundle.image(bundle.manifest.endToEnd.images[0])
        let stored = try await engine.classify(image, labels: BundleBuilder.labels)
        XCTAssertNil(stored.textInferenceNs)
        let golden = try XCTUnwrap(bundle.manifest.endToEnd.images[0].ranking)
        XCTAssertEqual(stored.guesses.map(\.label), golden.places.map { BundleBuilder.labels[$0] })
        XCTAssertEqual(stored.guesses.map(\.probability).reduce(0, +), 1, accuracy: 1e-9)
        let typed = try await engine.classify(image, labels: ["a red dot", "something new"])
        XCTAssertNotNil(typed.textInferenceNs)
        let again = try await engine.classify(image, labels: ["a red dot", "something new"])
        XCTAssertNil(again.textInferenceNs, "embeddings of labels are kept")
    }

    func testNoLabelsAndNoRuntime() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let image = try bundle.image(bundle.manifest.endToEnd.images[0])
        do {
            _ = try await engine.classify(image, labels: [])
            XCTFail("no labels were taken")
        } catch {
            XCTAssertEqual(error as? PocketClipError, .labels(.none))
        }
        XCTAssertEqual(
            failure { _ = try ClipEngine(bundle, runtimes: []) }, .bundle(.runtime(name: "coreml", available: [])))
    }

    func testSearchIndexes() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let source = FakePhotos(count: 45)
        let indexer = PhotoIndexer(engine: engine, source: source, folder: temporary.url)
        let progress = try await indexer.update { _ in }
        XCTAssertEqual(progress, IndexingProgress(done: 45, total: 45, skipped: 1))
        let hits = try await indexer.search("two owls", most: 5)
        XCTAssertEqual(hits.count, 5)
        XCTAssertEqual(hits.map(\.cosine), hits.map(\.cosine).sorted(by: >))
        // Another indexer goes on from what was kept: only what changed is asked for again.
        let changed = FakePhotos(count: 40, changed: ["photo 3"])
        let later = PhotoIndexer(engine: engine, source: changed, folder: temporary.url)
        try await later.update { _ in }
        let asked = await changed.asked.names
        XCTAssertEqual(asked, ["photo 3", "photo 7"], "the unreadable one is tried again")
        let count = await later.count()
        XCTAssertEqual(count, 39)
    }

    func testSimilarPhotosAndDuplicates() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let indexer = PhotoIndexer(engine: engine, source: FakePhotos(count: 12, same: [2, 9]), folder: temporary.url)
        let before = await indexer.similar(to: PhotoReference(id: "photo 2", version: ""), most: 3)
        XCTAssertEqual(before, [], "nothing is indexed")
        try await indexer.update { _ in }
        let hits = await indexer.similar(to: PhotoReference(id: "photo 2", version: "old"), most: 20)
        XCTAssertEqual(hits.count, 10, "neither itself nor the unreadable one")
        XCTAssertFalse(hits.contains { $0.id == "photo 2" })
        XCTAssertEqual(hits.first { $0.id == "photo 9" }?.cosine ?? 0, 1, accuracy: 1e-3)
        let groups = try await indexer.duplicates(leastCosine: 0.9999) { _ in }
        let wanted: Set<String> = ["photo 2", "photo 9"]
        XCTAssertTrue(groups.contains { wanted.isSubset(of: $0.photos.map(\.id)) }, "\(groups)")
    }

    func testWhatCannotBeReadAnyMoreIsNotFound() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let indexer = PhotoIndexer(engine: engine, source: FakePhotos(count: 10, unreadable: []), folder: temporary.url)
        try await indexer.update { _ in }
        let changed = FakePhotos(count: 10, changed: ["photo 7"])
        let later = PhotoIndexer(engine: engine, source: changed, folder: temporary.url)
        let progress = try await later.update { _ in }
        XCTAssertEqual(progress.skipped, 1)
        let hits = try await later.search("two owls", most: 50)
        XCTAssertEqual(hits.count, 9)
        XCTAssertFalse(hits.contains { $0.id == "photo 7" })
    }

    func testAModelThatFailsEndsIndexing() async throws {
        let faults: [(FakeRuntime.Fault, String)] = [
            (.inference, "out of luck"), (.nonFinite, "NaN"), (.load, "it is no model"),
        ]
        for (fault, words) in faults {
            let engine = try ClipEngine(bundle, runtimes: [FakeRuntime(fault)])
            let source = FakePhotos(count: 10)
            let indexer = PhotoIndexer(engine: engine, source: source, folder: temporary.url)
            do {
                try await indexer.update { _ in }
                XCTFail("it went on")
            } catch {
                XCTAssertTrue((error as? PocketClipError)?.message.contains(words) == true, "\(error)")
            }
            let asked = await source.asked.names
            XCTAssertEqual(asked.count, 1, "every other photograph would fail as well")
        }
        // Its lock is gone, and what is there can be used.
        let sound = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let indexer = PhotoIndexer(engine: sound, source: FakePhotos(count: 10), folder: temporary.url)
        let progress = try await indexer.update { _ in }
        XCTAssertEqual(progress, IndexingProgress(done: 10, total: 10, skipped: 1))
    }

    func testDamagedAndFormerIndexesAreMadeAnew() async throws {
        let engine = try ClipEngine(bundle, runtimes: [FakeRuntime()])
        let indexes = temporary.url.appendingPathComponent("Indexes")
        try FileManager.default.createDirectory(at: indexes, withIntermediateDirectories: true)
        let former = indexes.appendingPathComponent("0123.index")
        try Data("PCIX".utf8).write(to: former)
        let indexer = PhotoIndexer(engine: engine, source: FakePhotos(count: 3), folder: temporary.url)
        try await indexer.update { _ in }
        XCTAssertFalse(FileManager.default.fileExists(atPath: former.path))
        let own = try XCTUnwrap(FileManager.default.contentsOfDirectory(atPath: indexes.path).first)
        let identity = try XCTUnwrap(GalleryIndex.read(from: indexes.appendingPathComponent(own))?.identity)
        XCTAssertEqual(identity.origin, engine.origin)
        XCTAssertEqual(identity.folder, "fake")
        for name in ["index.json", "photos-0.jsonl"] {
            try Data("{\n".utf8).write(to: indexes.appendingPathComponent(own).appendingPathComponent(name))
            let source = FakePhotos(count: 3)
            let later = PhotoIndexer(engine: engine, source: source, folder: temporary.url)
            let none = try await later.search("two owls", most: 5)
            XCTAssertEqual(none, [])
            try await later.update { _ in }
            let count = await later.count()
            let asked = await source.asked.names
            XCTAssertEqual(count, 3)
            XCTAssertEqual(asked.count, 3, "all are embedded again")
        }
    }
}

/// Photographs of one grey value each, some of the same; the eighth cannot be read.
private struct FakePhotos: PhotoSource {
    actor Asked {
        private(set) var names: [String] = []
        func add(_ name: String) { names.append(name) }
    }

    let name = "fake"
    let asked = Asked()
    private let count: Int
    private let changed: Set<String>
    private let same: Set<Int>
    private let unreadable: Set<String>

    init(count: Int, changed: Set<String> = [], same: Set<Int> = [], unreadable: Set<String> = ["photo 7"]) {
        self.count = count
        self.changed = changed
        self.same = same
        self.unreadable = unreadable
    }

    func photos() async throws -> [PhotoReference] {
        (0..<count).map { place in
            let id = "photo \(place)"
            return PhotoReference(id: id, version: changed.contains(id) ? "new" : "old")
        }
    }

    func image(of photo: PhotoReference) async throws -> PackedImage {
        await asked.add(photo.id)
        guard !unreadable.contains(photo.id) else {
            throw PocketClipError.image(.undecodable(name: photo.id, reason: "it is none"))
        }
        let isSame = same.contains { photo.id == "photo \($0)" }
        let own: Int = photo.id.utf8.reduce(0) { ($0 * 31 + Int($1)) % 256 }
        let grey = UInt8(isSame ? 200 : own)
        return try PackedImage(width: 5, height: 6, bytes: [UInt8](repeating: grey, count: 90))
    }
}
