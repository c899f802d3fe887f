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

    func testIndexFiles() throws {
        let file = temporary.url.appendingPathComponent("a.index")
        var index = EmbeddingIndex(identity: "model a")
        index.add(PhotoReference(id: "ä/1", version: "1"), [0.6, 0.8])
        index.add(PhotoReference(id: "2", version: "x"), [1, 0])
        index.add(PhotoReference(id: "2", version: "y"), [0, 1])
        try index.write(to: file)
        XCTAssertEqual(try EmbeddingIndex.read(from: file, identity: "model a"), index)
        XCTAssertEqual(index.search([0, 1], most: 1).map(\.id), ["2"])
        XCTAssertEqual(try EmbeddingIndex.read(from: file, identity: "model b").count, 0)
        let content = try Data(contentsOf: file)
        for damaged in [content.dropLast(), content + [0], Data("PCIX".utf8), Data("else".utf8)] {
            try damaged.write(to: file)
            let fault = failure { _ = try EmbeddingIndex.read(from: file, identity: "model a") }
            XCTAssertTrue(fault?.message.contains("damaged") == true, "\(String(describing: fault))")
        }
    }
}

/// Photographs of one grey value each; the eighth cannot be read.
private struct FakePhotos: PhotoSource {
    actor Asked {
        private(set) var names: [String] = []
        func add(_ name: String) { names.append(name) }
    }

    let name = "fake"
    let asked = Asked()
    private let count: Int
    private let changed: Set<String>

    init(count: Int, changed: Set<String> = []) {
        self.count = count
        self.changed = changed
    }

    func photos() async throws -> [PhotoReference] {
        (0..<count).map { place in
            let id = "photo \(place)"
            return PhotoReference(id: id, version: changed.contains(id) ? "new" : "old")
        }
    }

    func image(of photo: PhotoReference) async throws -> PackedImage {
        await asked.add(photo.id)
        guard photo.id != "photo 7" else {
            throw PocketClipError.image(.undecodable(name: photo.id, reason: "it is none"))
        }
        let grey = UInt8(photo.id.utf8.reduce(0) { ($0 * 31 + Int($1)) % 256 })
        return try PackedImage(width: 5, height: 6, bytes: [UInt8](repeating: grey, count: 90))
    }
}
