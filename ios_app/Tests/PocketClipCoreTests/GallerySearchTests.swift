import Foundation
import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class GallerySearchTests: XCTestCase {
    private var temporary: TemporaryFolder!
    private var folder: URL { temporary.url.appendingPathComponent("index") }

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
    }

    override func tearDown() {
        temporary = nil
    }

    /// Kotlin, Swift and Python find the same in the same index.
    func testTheSharedIndex() async throws {
        let index = try XCTUnwrap(
            GalleryIndex.read(from: GoldenFiles.folder.appendingPathComponent("gallery", isDirectory: true)))
        let expected = try GoldenFiles.json("gallery/expected.json")
        XCTAssertGreaterThan(expected["queries"].items.count, 2)
        for query in expected["queries"].items {
            let vector: [Double] = try query.read("vector")
            let hits = try index.nearest(to: vector.map { Float($0) }, most: query.read("most"))
            try compare(hits, query["hits"])
        }
        let similar = expected["similar"]
        let photo = PhotoReference(id: try similar.read("photo"), version: "")
        try compare(index.similar(to: photo, most: similar.read("most")), similar["hits"])
        let groups = try await index.similarGroups(leastCosine: expected["groups"].read("least_cosine"))
        let wanted = expected["groups"]["groups"].items
        XCTAssertEqual(groups.count, wanted.count)
        for (group, each) in zip(groups, wanted) {
            XCTAssertEqual(group.photos.map(\.id), try each.read("photos"))
            XCTAssertEqual(group.cosine, try each.read("cosine"), accuracy: 2e-5)
        }
    }

    private func compare(_ hits: [SearchHit], _ wanted: JSONValue, line: UInt = #line) throws {
        XCTAssertEqual(hits.map(\.id), try wanted.items.map { try $0.read("photo") }, line: line)
        for (hit, each) in zip(hits, wanted.items) {
            XCTAssertEqual(hit.cosine, try each.read("cosine"), accuracy: 2e-5, line: line)
        }
    }

    func testTheNearestAreThoseOfSortingAll() throws {
        let index = try Galleries.write(0..<500, to: folder)
        for number in 0..<20 {
            let query = Galleries.vector(1000 + number)
            let all = try index.nearest(to: query, most: 1000)
            XCTAssertEqual(all.count, 500)
            let best = (0..<500).map { Vectors.dot(Galleries.vector($0), query) }.max() ?? 0
            XCTAssertEqual(all[0].cosine, best, accuracy: 1e-3)
            XCTAssertEqual(all.map(\.cosine), all.map(\.cosine).sorted(by: >))
            for most in [1, 2, 7, 100, 499, 500] {
                XCTAssertEqual(try index.nearest(to: query, most: most), Array(all.prefix(most)))
            }
        }
        XCTAssertEqual(try index.nearest(to: Galleries.vector(1), most: 0), [])
        XCTAssertEqual(try index.nearest(to: Galleries.vector(1), most: -1), [])
    }

    func testEqualOnesAreSortedById() throws {
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
        // By the numbers of their characters, as Python sorts: "Z" before "a" before "ä" before what is beyond 16 bits.
        let ids = ["b", "ä", "a", "Z", "😀", "\u{ffff}", "a b", "10", "9"]
        for (place, id) in ids.enumerated() {
            // Beyond the sixth digit, nothing counts.
            try writer.add(PhotoReference(id: id, version: ""), [0.6, 0.8, 0, place % 2 == 0 ? 6e-8 : 0])
        }
        let index = try writer.close()
        let wanted = ["10", "9", "Z", "a", "a b", "b", "ä", "\u{ffff}", "😀"]
        let query: [Float] = [0.6, 0.8, 0, 0]
        XCTAssertEqual(try index.nearest(to: query, most: 100).map(\.id), wanted)
        for most in 1..<wanted.count {
            XCTAssertEqual(try index.nearest(to: query, most: most).map(\.id), Array(wanted.prefix(most)))
        }
        XCTAssertEqual(index.similar(to: PhotoReference(id: "Z", version: ""), most: 3).map(\.id), ["10", "9", "a"])
    }

    func testQueriesThatCannotBe() throws {
        let index = try Galleries.write(0..<3, to: folder)
        for query: [Float] in [[], [1, 0, 0], [1, 0, 0, .nan], [.infinity, 0, 0, 0]] {
            guard case .model? = failure({ _ = try index.nearest(to: query, most: 1) }) else {
                return XCTFail("\(query)")
            }
        }
        // Longer than any embedding: no answer means anything, but nothing breaks.
        XCTAssertNoThrow(try index.nearest(to: [3e38, 3e38, -3e38, 1], most: 3))
        XCTAssertEqual(index.similar(to: PhotoReference(id: "unknown", version: ""), most: 3), [])
        XCTAssertEqual(try GalleryIndex(identity: Galleries.identity()).nearest(to: [1, 0, 0, 0], most: 3), [])
    }

    /// Against every pair, one by one, over tiles and tasks.
    func testGroupsAreThoseOfAllPairs() async throws {
        let (width, count, least) = (70, 1500, 0.95)
        let writer = try GalleryWriter(opening: folder, identity: Galleries.identity(width: width))
        var vectors: [[Float]] = []
        for number in 0..<count {
            // Neighbours, near enough to each other only sometimes; some are there twice.
            let own = Galleries.vector(number, width: width)
            if number % 50 == 30 {
                vectors.append(vectors[number / 2])
            } else if number % 7 == 3 || number % 7 == 4 {
                let strength = Float(number % 4) * 0.12
                vectors.append(near(vectors[number - 1], own, strength))
            } else {
                vectors.append(own)
            }
            try writer.add(Galleries.photo(number), vectors[number])
        }
        for number in [5, 700, 1499] {
            try writer.forget(Galleries.photo(number).id)
        }
        let index = try writer.close()
        let live = index.live.map { (entry: GalleryIndex.Entry) -> (id: String, row: Int) in
            (entry.photo.id, entry.row)
        }
        var groups: [Set<String>] = live.map { [$0.id] }
        for one in live.indices {
            for two in (one + 1)..<live.count
            where Vectors.cosine(vectors[live[one].row], vectors[live[two].row]) >= least {
                let joined = groups[one].union(groups[two])
                for place in live.indices where joined.contains(live[place].id) {
                    groups[place] = joined
                }
            }
        }
        let found = try await index.similarGroups(leastCosine: least)
        XCTAssertEqual(Set(found.map { Set($0.photos.map(\.id)) }), Set(groups.filter { $0.count > 1 }))
        XCTAssertGreaterThan(found.count, 100)
        XCTAssertEqual(found.map(\.cosine), found.map(\.cosine).sorted(by: >))
        for group in found {
            XCTAssertEqual(group.photos.map(\.id), group.photos.map(\.id).sorted())
            XCTAssertTrue((least...1).contains(group.cosine))
        }
        let all = try await index.similarGroups(leastCosine: -1)
        XCTAssertEqual(all.map(\.photos.count), [count - 3])
    }

    private func near(_ vector: [Float], _ other: [Float], _ strength: Float) -> [Float] {
        let sums = zip(vector, other).map { (one: Float, two: Float) -> Float in one + strength * two }
        return Vectors.normalized(sums) ?? vector
    }

    func testLookingForGroupsCanBeCancelled() async throws {
        let index = try Galleries.write(0..<1500, to: folder)
        let task = Task { try await index.similarGroups(leastCosine: 0.5) }
        task.cancel()
        do {
            _ = try await task.value
            XCTFail("it went on")
        } catch {
            XCTAssertTrue(error is CancellationError)
        }
        let none = try await GalleryIndex(identity: Galleries.identity()).similarGroups()
        XCTAssertEqual(none, [])
    }

    /// Readers see whole photographs, and what they have stays as it is.
    func testSearchingWhileAWriterAdds() async throws {
        let shared = Shared(try Galleries.write(0..<50, to: folder))
        let folder = folder
        let writing = Task.detached {
            let writer = try GalleryWriter(opening: folder, identity: Galleries.identity())
            for number in 50..<1500 {
                try writer.add(Galleries.photo(number), Galleries.vector(number))
                if number % 3 == 0 {
                    try writer.add(Galleries.photo(number / 2, version: "2"), Galleries.vector(number / 2))
                }
                if number % 10 == 0 {
                    try writer.flush()
                    await shared.set(writer.index)
                }
            }
            await shared.end(try writer.close())
        }
        var searches = 0
        while await !shared.ended {
            for index in [await shared.index, try Galleries.read(folder)] {
                let number = searches % 50
                let hits = try index.nearest(to: Galleries.vector(number), most: 10_000)
                XCTAssertEqual(hits.count, index.count)
                XCTAssertEqual(Set(hits.map(\.id)).count, index.count)
                XCTAssertGreaterThan(try Galleries.worstCosine(index, [number, index.count - 1]), 0.999)
            }
            searches += 1
        }
        try await writing.value
        XCTAssertGreaterThan(searches, 3)
        let last = await shared.index
        XCTAssertEqual(last.count, 1500)
        XCTAssertEqual(try Galleries.read(folder).live.map(\.photo), last.live.map(\.photo))
    }
}

private actor Shared {
    private(set) var index: GalleryIndex
    private(set) var ended = false

    init(_ index: GalleryIndex) {
        self.index = index
    }

    func set(_ index: GalleryIndex) {
        self.index = index
    }

    func end(_ index: GalleryIndex) {
        self.index = index
        ended = true
    }
}
