import Foundation
import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class GalleryIndexTests: XCTestCase {
    private var temporary: TemporaryFolder!
    private var folder: URL { temporary.url.appendingPathComponent("index") }
    private var rows: URL { folder.appendingPathComponent("rows-0.f16") }
    private var log: URL { folder.appendingPathComponent("photos-0.jsonl") }

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
    }

    override func tearDown() {
        temporary = nil
    }

    func testWhatIsWrittenIsReadAgain() throws {
        let written = try Galleries.write(0..<30, to: folder)
        let index = try Galleries.read(folder)
        XCTAssertEqual(index.identity, written.identity)
        XCTAssertEqual(index.count, 30)
        XCTAssertEqual(index.live.map(\.photo), (0..<30).map { Galleries.photo($0) })
        XCTAssertEqual(index.live.map(\.row), Array(0..<30))
        XCTAssertTrue(index.contains(Galleries.photo(3)))
        XCTAssertFalse(index.contains(Galleries.photo(3, version: "2")))
        XCTAssertGreaterThan(try Galleries.worstCosine(index, 0..<30), 0.999)
        XCTAssertNil(try GalleryIndex.read(from: temporary.url.appendingPathComponent("none")))
    }

    /// What docs/gallery.md says, byte by byte.
    func testTheFormat() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        try writer.add(PhotoReference(id: "ä\"\n", version: "v", name: "a\\b"), [0.5, -0.25, 1, 0])
        try writer.add(PhotoReference(id: "b", version: ""), [0, 0, 0, 1])
        try writer.forget("b")
        _ = try writer.close()
        XCTAssertEqual(
            Array(try Data(contentsOf: rows)), [0, 0x38, 0, 0xb4, 0, 0x3c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3c])
        XCTAssertEqual(
            try Galleries.text(log),
            """
            {"photo": "ä\\"\\n", "version": "v", "row": 0, "name": "a\\\\b"}
            {"photo": "b", "version": "", "row": 1}
            {"photo": "b"}

            """)
        XCTAssertEqual(try Galleries.read(folder).live.map(\.photo.id), ["ä\"\n"])
        let identity = try JSONValue(
            parsing: Data(contentsOf: folder.appendingPathComponent("index.json")), source: "index.json")
        XCTAssertEqual(
            identity.shape,
            [
                "schema_version", "model", "weights_sha256", "image_sha256", "width", "folder", "artifact",
                "generation",
            ])
    }

    func testReplacingAndForgetting() throws {
        try Galleries.write(0..<10, to: folder)
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        try writer.add(Galleries.photo(3, version: "2"), Galleries.vector(33))
        try writer.forget(Galleries.photo(4).id)
        try writer.forget("never there")
        XCTAssertEqual(writer.index.count, 10, "nothing is seen before it is written")
        XCTAssertEqual(writer.photos.count, 9)
        let index = try writer.close()
        for each in [index, try Galleries.read(folder)] {
            XCTAssertEqual(each.count, 9)
            XCTAssertEqual(each.rowCount, 11)
            let hits = try each.nearest(to: Galleries.vector(33), most: 1)
            XCTAssertEqual(hits.map(\.photo), [Galleries.photo(3, version: "2")])
            XCTAssertFalse(try each.nearest(to: Galleries.vector(4), most: 100).contains { $0.id == "photo 4" })
        }
    }

    func testTwoWaysToWriteALetterAreTwoPhotographs() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        try writer.add(PhotoReference(id: "\u{e4}", version: ""), Galleries.vector(1))
        try writer.add(PhotoReference(id: "a\u{308}", version: ""), Galleries.vector(2))
        XCTAssertEqual(try writer.close().count, 2)
        XCTAssertEqual(try Galleries.read(folder).count, 2)
    }

    func testAProcessThatWasKilledLosesOnlyWhatItHadNotWritten() throws {
        try Galleries.write(0..<5, to: folder)
        let (wholeRows, wholeLog) = (try Data(contentsOf: rows), try Data(contentsOf: log))
        // It can end at any byte of a row, and of a line whose row is there.
        for length in 0..<8 {
            try (wholeRows + Data(repeating: 0xff, count: length)).write(to: rows)
            XCTAssertEqual(try Galleries.read(folder).count, 5, "\(length) bytes of a row")
            let index = try Galleries.write([5], to: folder)
            XCTAssertEqual(index.rowCount, 6)
            XCTAssertGreaterThan(try Galleries.worstCosine(Galleries.read(folder), 0..<6), 0.999)
            try wholeRows.write(to: rows)
            try wholeLog.write(to: log)
        }
        let line = Data("{\"photo\": \"photo 5\", \"version\": \"1\", \"row\": 5}".utf8)
        try (wholeRows + Data(repeating: 0, count: 8)).write(to: rows)
        for length in 1...line.count {
            try (wholeLog + line.prefix(length)).write(to: log)
            XCTAssertEqual(try Galleries.read(folder).count, 5, "\(length) bytes of a line")
            let index = try Galleries.write([6], to: folder)
            XCTAssertEqual(index.live.map(\.row), [0, 1, 2, 3, 4, 6], "the row without a line is left")
            XCTAssertGreaterThan(try Galleries.worstCosine(Galleries.read(folder), [0, 4, 6]), 0.999)
            try (wholeRows + Data(repeating: 0, count: 8)).write(to: rows)
        }
        // Rows that did not reach the disk: their lines count as not written, what they replace stays.
        try wholeRows.prefix(8 * 3 + 1).write(to: rows)
        try (wholeLog + Data("{\"photo\": \"photo 0\", \"version\": \"2\", \"row\": 9}\n".utf8)).write(to: log)
        let index = try Galleries.read(folder)
        XCTAssertEqual(index.live.map(\.photo), (0..<3).map { Galleries.photo($0) })
    }

    func testAFailedWriteStaysPending() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        try writer.add(Galleries.photo(0), Galleries.vector(0))
        try writer.flush()
        // What a write that failed halfway left behind.
        let rest = try FileHandle(forWritingTo: log)
        try rest.seekToEnd()
        try rest.write(contentsOf: Data("{\"photo\": \"pho".utf8))
        try rest.close()
        try writer.add(Galleries.photo(1), Galleries.vector(1))
        XCTAssertEqual(try writer.close().count, 2)
        XCTAssertEqual(try Galleries.read(folder).live.map(\.photo), [0, 1].map { Galleries.photo($0) })
    }

    func testANewGenerationLeavesOutWhatIsForgotten() throws {
        try Galleries.write(0..<2100, to: folder)
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        for number in 0..<1049 {
            try writer.forget(Galleries.photo(number).id)
        }
        XCTAssertEqual(try writer.close().identity.generation, 0, "fewer than half")
        let old = try Galleries.read(folder)
        let later = try GalleryWriter(opening: folder, identity: Galleries.identity())
        try later.forget(Galleries.photo(1049).id)
        let index = try later.close()
        XCTAssertEqual(index.identity.generation, 1)
        for each in [index, try Galleries.read(folder)] {
            XCTAssertEqual([each.count, each.rowCount, each.identity.generation], [1050, 1050, 1])
            XCTAssertEqual(each.live.map(\.photo), (1050..<2100).map { Galleries.photo($0) })
            XCTAssertGreaterThan(try Galleries.worstCosine(each, [1050, 1700, 2099]), 0.999)
        }
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted(),
            [".index.lock", "index.json", "photos-1.jsonl", "rows-1.f16"])
        // Who still has the old one goes on with it.
        XCTAssertEqual(old.count, 1051)
        XCTAssertGreaterThan(try Galleries.worstCosine(old, [1049, 2099]), 0.999)
        XCTAssertEqual(try Galleries.write([1], to: folder).count, 1051)
    }

    func testAKilledCompactionIsOfNoConsequence() throws {
        try Galleries.write(0..<3, to: folder)
        for name in ["rows-1.f16", "photos-1.jsonl", "rows-7.f16"] {
            try Data("half".utf8).write(to: folder.appendingPathComponent(name))
        }
        XCTAssertEqual(try Galleries.read(folder).count, 3)
        XCTAssertEqual(try Galleries.write([3], to: folder).count, 4)
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted(),
            [".index.lock", "index.json", "photos-0.jsonl", "rows-0.f16"])
    }

    func testAnotherModelBeginsAnew() throws {
        try Galleries.write(0..<3, to: folder)
        for identity in [
            try Galleries.identity(image: "3"), try Galleries.identity(image: "3", width: 6),
            try Galleries.identity(image: "3", width: 6, folder: "others"),
        ] {
            let writer = try GalleryWriter(opening: folder, identity: identity)
            XCTAssertEqual(writer.index.count, 0)
            try writer.add(Galleries.photo(1), Galleries.vector(1, width: identity.origin.width))
            XCTAssertEqual(try writer.close().count, 1)
            XCTAssertEqual(try Galleries.read(folder).identity, identity)
        }
    }

    func testThereIsOneWriter() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        XCTAssertEqual(
            failure { _ = try GalleryWriter(opening: folder, identity: Galleries.identity()) },
            .storage(.busy(path: "index")))
        try writer.add(Galleries.photo(1), Galleries.vector(1))
        _ = try writer.close()
    }

    func testWhatIsKnownIsReadAgainOnlyWhereTheFilesHaveChanged() throws {
        let known = try Galleries.write(0..<3, to: folder)
        // Damage that only reading would find.
        var content = try Data(contentsOf: log)
        content[0] = UInt8(ascii: "x")
        try content.write(to: log)
        _ = try GalleryWriter(opening: folder, identity: Galleries.identity(), known: known).close()
        XCTAssertNotNil(
            failure { _ = try GalleryWriter(opening: folder, identity: Galleries.identity(), known: nil) })
        content[0] = UInt8(ascii: "{")
        try (content + Data("{\"photo\": \"photo 2\"}\n".utf8)).write(to: log)
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity(), known: known)
        XCTAssertEqual(writer.index.count, 2)
    }

    func testWhatCannotBeARowIsRefused() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        for vector: [Float] in [[1, 0, 0], [], [0, 0, .nan, 0], [70_000, 0, 0, 0]] {
            guard case .model? = failure({ try writer.add(Galleries.photo(1), vector) }) else {
                return XCTFail("\(vector)")
            }
        }
        for photo in [
            PhotoReference(id: "", version: ""), PhotoReference(id: String(repeating: "a", count: 4097), version: ""),
            PhotoReference(id: "a", version: String(repeating: "ä", count: 101)),
        ] {
            guard case .document? = failure({ try writer.add(photo, Galleries.vector(1)) }) else {
                return XCTFail("\(photo)")
            }
        }
        try writer.add(Galleries.photo(1), Galleries.vector(1))
        XCTAssertEqual(try writer.close().rowCount, 1)
        XCTAssertEqual(try Galleries.read(folder).count, 1)
    }
}
