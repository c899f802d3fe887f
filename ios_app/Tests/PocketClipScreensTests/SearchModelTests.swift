import PocketClipCore
import PocketClipTestSupport
import XCTest

@testable import PocketClipScreens

/// The Search screen's states, driven as the view drives them.
@MainActor
final class SearchModelTests: XCTestCase {
    private func indexed(_ count: Int, in temporary: TemporaryFolder, most: Int = 3) async -> SearchModel {
        let model = SearchModel(engine: ScriptedEngine(), folder: temporary.url, most: most)
        model.choose(GreyPhotos(count: count))
        await model.finishIndexing()
        return model
    }

    func testSearching() async throws {
        let temporary = try TemporaryFolder()
        let model = await indexed(30, in: temporary)
        XCTAssertEqual(model.state, .ready(indexed: 30, skipped: 0))
        model.sentence = "bright"
        await model.findBySentence()
        guard case .bySentence(let hits) = model.found else { return XCTFail("\(model.found)") }
        XCTAssertEqual(hits.map(\.id), ["29", "28", "27"])
        model.sentence = "  "
        await model.findBySentence()
        XCTAssertEqual(model.found, .nothing)
    }

    func testSimilarPhotos() async throws {
        let temporary = try TemporaryFolder()
        let model = await indexed(30, in: temporary)
        let photo = PhotoReference(id: "29", version: "")
        await model.findSimilar(to: photo)
        guard case .similar(photo, let hits) = model.found else { return XCTFail("\(model.found)") }
        XCTAssertEqual(hits.map(\.id), ["28", "27", "26"])
        await model.findSimilar(to: PhotoReference(id: "gone", version: ""))
        XCTAssertEqual(model.found, .similar(to: PhotoReference(id: "gone", version: ""), []))
        model.choose(GreyPhotos(count: 2))
        XCTAssertEqual(model.found, .nothing, "what was found was among other photographs")
        await model.finishIndexing()
    }

    func testDuplicates() async throws {
        let temporary = try TemporaryFolder()
        // After 64 shades, they begin anew.
        let model = await indexed(66, in: temporary)
        model.findDuplicates()
        XCTAssertEqual(model.found, .comparing(share: 0))
        XCTAssertTrue(model.isBusy)
        await model.finishComparing()
        guard case .duplicates(let groups) = model.found else { return XCTFail("\(model.found)") }
        XCTAssertFalse(groups.isEmpty)
        let together = groups.filter { !Set(["0", "64"]).isDisjoint(with: $0.photos.map(\.id)) }
        XCTAssertEqual(together.count, 1, "\(groups)")
    }

    func testLookingForDuplicatesCanBeLeft() async throws {
        let temporary = try TemporaryFolder()
        let model = await indexed(66, in: temporary)
        model.findDuplicates()
        model.cancelComparing()
        await model.finishComparing()
        XCTAssertEqual(model.found, .nothing)
        model.findDuplicates()
        model.sentence = "bright"
        await model.findBySentence()
        await model.finishComparing()
        guard case .bySentence = model.found else { return XCTFail("what was asked last counts: \(model.found)") }
    }

    func testLeavingEndsWhatGoesOn() async throws {
        let temporary = try TemporaryFolder()
        let model = await indexed(66, in: temporary)
        model.resume()
        model.findDuplicates()
        model.leave()
        await model.finishIndexing()
        await model.finishComparing()
        XCTAssertEqual(model.state, .paused(indexed: 66))
        XCTAssertEqual(model.found, .nothing)
        XCTAssertFalse(model.isBusy)
    }

    func testPausingAndGoingOn() async throws {
        let temporary = try TemporaryFolder()
        let engine = ScriptedEngine()
        await engine.wait(milliseconds: 5)
        let model = SearchModel(engine: engine, folder: temporary.url)
        XCTAssertFalse(model.isBusy)
        model.choose(GreyPhotos(count: 60))
        XCTAssertTrue(model.isBusy)
        try await Task.sleep(for: .milliseconds(60))
        model.cancel()
        await model.finishIndexing()
        guard case .paused(let indexed) = model.state else { return XCTFail("\(model.state)") }
        XCTAssertFalse(model.isBusy)
        XCTAssertTrue((1..<60).contains(indexed), "\(indexed)")
        let embedded = await engine.embedded
        model.resume()
        await model.finishIndexing()
        XCTAssertEqual(model.state, .ready(indexed: 60, skipped: 0))
        let all = await engine.embedded
        XCTAssertLessThanOrEqual(all - embedded, 60 - indexed + 1, "what was done is kept")
    }
}
