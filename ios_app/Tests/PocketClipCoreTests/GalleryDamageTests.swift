import Foundation
import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

/// Files of an index that somebody else wrote: refused in words, never more.
final class GalleryDamageTests: XCTestCase {
    private var temporary: TemporaryFolder!
    private var folder: URL { temporary.url.appendingPathComponent("index") }
    private var identity: URL { folder.appendingPathComponent("index.json") }
    private var rows: URL { folder.appendingPathComponent("rows-0.f16") }
    private var log: URL { folder.appendingPathComponent("photos-0.jsonl") }

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
        try Galleries.write(0..<3, to: folder)
    }

    override func tearDown() {
        temporary = nil
    }

    private func check(_ words: String, line: UInt = #line) {
        let found = failure { _ = try GalleryIndex.read(from: folder) }
        XCTAssertTrue(found?.message.contains(words) == true, "\(String(describing: found))", line: line)
        let writing = failure { _ = try GalleryWriter(opening: folder, identity: Galleries.identity()) }
        XCTAssertEqual(found, writing, line: line)
    }

    func testIdentities() throws {
        let text = try Galleries.text(identity)
        let cases = [
            ("\"width\" : 4", "\"width\" : 0", "index.json.width is 0"),
            ("\"width\" : 4", "\"width\" : 65537", "index.json.width is 65537"),
            ("\"width\" : 4", "\"width\" : \"4\"", "a whole number wanted"),
            ("\"width\" : 4", "\"width\" : 1e99", "a whole number wanted"),
            ("\"schema_version\" : 1", "\"schema_version\" : 2", "its version is 2, not 1"),
            ("\"schema_version\" : 1", "\"schema_version\" : null", "schema_version is null"),
            ("\"generation\" : 0", "\"generation\" : -1", "generation is -1"),
            ("\"generation\" : 0", "\"generation\" : 9007199254740992", "generation is"),
            ("\"generation\" : 0", "\"more\" : 0", "a field more"),
            ("\"folder\" : \"greys\"", "\"folder\" : \"\"", "text of 1 to 4096 characters wanted"),
            ("\"model\" : \"fake\"", "\"model\" : \"../fake\"", "a plain name"),
            ("222222", "22222G", "64 hex digits"),
            ("{", "[", "is not JSON"),
        ]
        for (found, wrong, words) in cases {
            XCTAssertTrue(text.contains(found), found)
            try Data(text.replacingOccurrences(of: found, with: wrong).utf8).write(to: identity)
            check(words)
        }
        try Data().write(to: identity)
        check("is not JSON")
        try Data(repeating: UInt8(ascii: " "), count: 2 << 20).write(to: identity)
        check("it has 2097152 bytes")
    }

    func testLines() throws {
        let whole = try Data(contentsOf: log)
        let cases = [
            ("", "is not JSON"), ("{}", "lacks photo"), ("[]", "an object wanted"),
            ("{\"photo\": \"\"}", "text of 1 to 4096 characters wanted"),
            ("{\"photo\": \"a\", \"version\": \"1\", \"row\": -1}", "row is -1"),
            ("{\"photo\": \"a\", \"version\": \"1\", \"row\": 10000001}", "row is 10000001"),
            ("{\"photo\": \"a\", \"version\": \"1\", \"row\": 1.5}", "a whole number wanted"),
            ("{\"photo\": \"a\", \"version\": \"1\", \"row\": 01}", "is not JSON"),
            ("{\"photo\": \"a\", \"version\": 1, \"row\": 1}", "text wanted"),
            ("{\"photo\": \"a\", \"version\": \"1\", \"row\": 1, \"more\": 1}", "a field more"),
            ("{\"photo\": \"a\", \"photo\": \"b\"}", "twice"), ("{\"photo\": \"a\"} {", "is not JSON"),
            ("{\"photo\": \"a\tb\"}", "is not JSON"),
            ("{\"photo\": \"a\", \"version\": \"\(String(repeating: "1", count: 101))\", \"row\": 1}", "at most 100"),
            ("{\"photo\": \"\(String(repeating: "a", count: 4097))\"}", "text of 1 to 4096 characters wanted"),
            ("{\"photo\": \"\(String(repeating: "a", count: 70_000))\"}", "line 4 is too long"),
        ]
        for (line, words) in cases {
            // In the middle: the last line alone may be half.
            try (whole + Data((line + "\n{\"photo\": \"a\"}\n").utf8)).write(to: log)
            check(words)
        }
        try (whole + Data("{\"photo\": \"".utf8) + Data([0xff]) + Data("\"}\n".utf8)).write(to: log)
        check("is not JSON")
        try (whole + Data(repeating: UInt8(ascii: "a"), count: 1 << 22)).write(to: log)
        check("line 4 is too long")
    }

    func testLinesOfOtherFormsThatAreRight() throws {
        let lines = """
            {"photo":"a","row":1,"version":"7","name":null}
            { "version" : "8", "name": "B", "row": 2, "photo": "\\u0062\\ud83d\\ude00" }
            {"photo": "photo 0", "version": null, "row": 1}
            {"photo": "far", "version": "1", "row": 3}
            {"photo": "photo 1", "version": "2", "row": 10000000}
            {"photo": "pho

            """.dropLast()
        try (Data(contentsOf: log) + Data(lines.utf8)).write(to: log)
        let index = try Galleries.read(folder)
        XCTAssertEqual(
            Array(index.live.map(\.photo)),
            [
                Galleries.photo(1), Galleries.photo(2), PhotoReference(id: "a", version: "7"),
                PhotoReference(id: "b😀", version: "8", name: "B"),
            ], "rows that are not there count as not written")
    }

    func testRows() throws {
        let whole = try Data(contentsOf: rows)
        for bits: [UInt8] in [[0, 0x7c], [0, 0xfc], [1, 0x7c], [0xff, 0x7f]] {
            for place in [0, 5, 11] {
                var content = whole
                content.replaceSubrange(2 * place..<2 * place + 2, with: bits)
                try content.write(to: rows)
                check("rows-0.f16 is damaged: it has a value that is NaN or infinite")
            }
        }
        // Of a photograph that is forgotten, nobody reads it.
        try (Data(contentsOf: log) + Data("{\"photo\": \"photo 2\"}\n".utf8)).write(to: log)
        let index = try Galleries.read(folder)
        XCTAssertEqual(try index.nearest(to: Galleries.vector(2), most: 9).count, 2)
        try FileManager.default.removeItem(at: rows)
        XCTAssertEqual(try Galleries.read(folder).count, 0)
    }

    func testRowsFarBeyondAnyMemory() throws {
        let file = try FileHandle(forWritingTo: rows)
        try file.truncate(atOffset: 1 << 45)
        try file.close()
        do {
            // Where the system can map so much, it is only address space.
            let index = try Galleries.read(folder)
            XCTAssertEqual(index.count, 3)
        } catch PocketClipError.storage(.unreadable) {
        }
    }

    func testWhatIsNoFile() throws {
        for file in [rows, log, identity] {
            let content = try Data(contentsOf: file)
            try FileManager.default.removeItem(at: file)
            try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
            check("\(file.lastPathComponent) is damaged: it is no file")
            try FileManager.default.removeItem(at: file)
            try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: "/dev/zero")
            check("\(file.lastPathComponent) is damaged: it is no file")
            try FileManager.default.removeItem(at: file)
            try content.write(to: file)
        }
    }
}
