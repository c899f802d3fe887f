import Foundation
import XCTest

@testable import PocketClipCore

/// NIST's examples (FIPS 180-4, CAVP's short and long messages), and lengths around the block's end.
final class SHA256Tests: XCTestCase {
    func testExamplesOfNIST() {
        let examples = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]
        for (text, digest) in examples {
            XCTAssertEqual(digestOf(Data(text.utf8), pieces: 1), digest)
            XCTAssertEqual(SHA256Digest.hex(of: Data(text.utf8)), digest)
        }
        XCTAssertEqual(
            digestOf(Data(repeating: UInt8(ascii: "a"), count: 1_000_000), pieces: 7),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    func testPiecesMakeNoDifference() {
        for length in [1, 55, 56, 63, 64, 65, 119, 120, 128, 1000] {
            let data = Data((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) })
            let whole = digestOf(data, pieces: 1)
            for pieces in [2, 3, 17] {
                XCTAssertEqual(digestOf(data, pieces: pieces), whole, "\(length) bytes in \(pieces) pieces")
            }
        }
    }

    private func digestOf(_ data: Data, pieces: Int) -> String {
        var hasher = PortableSHA256()
        let length = max(1, data.count / pieces)
        for start in stride(from: 0, to: data.count, by: length) {
            hasher.update(data[start..<min(data.count, start + length)])
        }
        return SHA256Digest.hexDigits(hasher.finalize())
    }
}
