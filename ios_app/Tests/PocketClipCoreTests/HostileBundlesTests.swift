import Foundation
import XCTest

@testable import PocketClipCore

/// The hostile bundles that Python, Kotlin and Swift read, against the table of who refuses which: `tests/hostile` of
/// the repository makes both, in the folder that the variable names. Without it, as in Xcode, there is nothing to read.
final class HostileBundlesTests: XCTestCase {
    func testEveryCaseIsRefusedOrReadAsTheTableSays() throws {
        guard let path = ProcessInfo.processInfo.environment["POCKETCLIP_HOSTILE"] else { return }
        let folder = URL(fileURLWithPath: path, isDirectory: true)
        let content = try Data(contentsOf: folder.appendingPathComponent("refusals.json"))
        guard case .object(let table) = try JSONValue(parsing: content, source: "refusals.json") else {
            return XCTFail("the table is no object")
        }
        XCTAssertGreaterThan(table.count, 80)
        for (name, row) in table.sorted(by: { $0.key < $1.key }) {
            let isRefused: Bool
            do {
                _ = try ClipBundle(opening: folder.appendingPathComponent("cases/\(name)", isDirectory: true))
                isRefused = false
            } catch let error as PocketClipError {
                isRefused = true
                XCTAssertGreaterThan(error.message.count, 20, name)
                XCTAssertFalse(error.message.contains("\n"), name)
            }
            XCTAssertEqual(try row.read("swift", as: Bool.self), isRefused, name)
        }
    }
}
