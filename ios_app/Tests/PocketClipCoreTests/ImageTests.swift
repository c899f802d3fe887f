import XCTest

@testable import PocketClipCore

/// Pillow's pixels and numpy's floats, bit by bit.
final class ImageTests: XCTestCase {
    private struct Stored {
        let name: String
        let image: PackedImage
    }

    func testSubsamplingLeavesEnoughForEveryModel() {
        let expected = [
            (640, 480, 1), (2047, 4000, 1), (2048, 2048, 2), (8064, 6048, 4), (65_536, 65_536, 8), (0, 0, 1),
        ]
        for (width, height, factor) in expected {
            XCTAssertEqual(PackedImage.subsampling(width: width, height: height), factor, "\(width) x \(height)")
        }
    }

    func testFiftyImagesByEverySpecification() throws {
        let golden = try GoldenFiles.json("images.json")
        let images = try golden["images"].items.map(upright)
        XCTAssertEqual(images.count, 50)
        for each in golden["specs"].items {
            let name: String = try each.read("name")
            let spec: PreprocessSpec = try each.read("preprocess")
            let wanted = try GoldenFiles.tensor(each.read("pixels")).samples
            for (stored, pixels) in zip(images, wanted) {
                let found = try ImagePreprocessor.resizeAndCrop(stored.image, by: spec)
                // Not XCTAssertEqual, which would print all pixels.
                XCTAssertTrue(.uint8(found.bytes) == pixels.values, "other pixels: \(name), \(stored.name)")
            }
            for input in each["inputs"].items {
                let preprocessor = ImagePreprocessor(spec, input: try input.read("input"))
                let names: [String] = try input.read("images")
                let values = try GoldenFiles.tensor(input.read("values")).samples
                for (image, tensor) in zip(names, values) {
                    let stored = try XCTUnwrap(images.first { $0.name == image })
                    XCTAssertTrue(try preprocessor(stored.image) == tensor, "other input: \(name), \(image)")
                }
            }
        }
    }

    func testOrientations() throws {
        // Two rows of three pixels; what the EXIF standard makes of them.
        let image = try PackedImage(width: 3, height: 2, bytes: (0..<18).map(UInt8.init))
        let wanted: [Int: (Int, [UInt8])] = [
            1: (3, [0, 3, 6, 9, 12, 15]), 2: (3, [6, 3, 0, 15, 12, 9]), 3: (3, [15, 12, 9, 6, 3, 0]),
            4: (3, [9, 12, 15, 0, 3, 6]), 5: (2, [0, 9, 3, 12, 6, 15]), 6: (2, [9, 0, 12, 3, 15, 6]),
            7: (2, [15, 6, 12, 3, 9, 0]), 8: (2, [6, 15, 3, 12, 0, 9]),
        ]
        for (orientation, (width, reds)) in wanted {
            let turned = try image.upright(orientation: orientation)
            XCTAssertEqual(turned.width, width)
            XCTAssertEqual(stride(from: 0, to: 18, by: 3).map { turned.bytes[$0] }, reds, "\(orientation)")
        }
        XCTAssertEqual(failure { _ = try image.upright(orientation: 9) }, .image(.orientation(9)))
    }

    func testFourByteRowsWithPadding() throws {
        // Two BGRX pixels and padding, twice.
        let rows: [UInt8] = [3, 2, 1, 0, 6, 5, 4, 0, 99, 99, 9, 8, 7, 0, 12, 11, 10, 0, 99, 99]
        let image = try rows.withUnsafeBytes {
            try PackedImage(width: 2, height: 2, fourByte: $0, bytesPerRow: 10, order: (2, 1, 0))
        }
        XCTAssertEqual(image.bytes, (1...12).map(UInt8.init))
    }

    func testWhatADecoderHandsOverBecomesPythonsPixels() throws {
        let images = try GoldenFiles.json("encoded.json").items
        XCTAssertGreaterThan(images.count, 30)
        for entry in images {
            let name: String = try entry.read("name")
            let content = { (suffix: String) in
                try [UInt8](Data(contentsOf: GoldenFiles.folder.appendingPathComponent("encoded/\(name)\(suffix)")))
            }
            let width: Int = try entry["stored"].read("width")
            let height: Int = try entry["stored"].read("height")
            let decoded = try content(".rgba").withUnsafeBytes {
                try PackedImage(overWhite: $0, width: width, height: height, bytesPerRow: width * 4)
            }
            let wanted = try PackedImage(
                width: entry["upright"].read("width"), height: entry["upright"].read("height"), bytes: content(".rgb"))
            XCTAssertTrue(try decoded.upright(orientation: entry.read("orientation")) == wanted, "other pixels: \(name)")
        }
    }

    func testRowsOverWhiteWithPadding() throws {
        // Two pixels and padding, twice; the third pixel has more colour than opacity allows.
        let rows: [UInt8] = [10, 20, 30, 255, 5, 0, 8, 10, 99, 99, 60, 1, 0, 50, 0, 0, 0, 0]
        let image = try rows.withUnsafeBytes {
            try PackedImage(overWhite: $0, width: 2, height: 2, bytesPerRow: 10)
        }
        XCTAssertEqual(image.bytes, [10, 20, 30, 250, 245, 253, 255, 206, 205, 255, 255, 255])
        let short = failure {
            _ = try rows.withUnsafeBytes { try PackedImage(overWhite: $0, width: 3, height: 2, bytesPerRow: 10) }
        }
        XCTAssertEqual(short, .image(.size(width: 3, height: 2, bytes: 18)))
    }

    func testANarrowImageBecomesASquareOfItsColor() throws {
        let narrow = try PackedImage(
            width: 1, height: 65_000, bytes: (0..<65_000).flatMap { _ in [220, 30, 30] as [UInt8] })
        let spec = try GoldenFiles.json("images.json")["specs"].items[1].read("preprocess", as: PreprocessSpec.self)
        let square = try ImagePreprocessor.resizeAndCrop(narrow, by: spec)
        XCTAssertEqual(Set(stride(from: 0, to: square.bytes.count, by: 3).map { square.bytes[$0..<$0 + 3] + [] }), [[220, 30, 30]])
    }

    func testSizesOutOfRange() {
        XCTAssertEqual(
            failure { _ = try PackedImage(width: 0, height: 5, bytes: []) }, .image(.tooNarrow(width: 0, height: 5)))
        XCTAssertEqual(
            failure { _ = try PackedImage(width: 2, height: 2, bytes: [1]) },
            .image(.size(width: 2, height: 2, bytes: 1)))
    }

    private func upright(_ entry: JSONValue) throws -> Stored {
        let name: String = try entry.read("name")
        let bytes = try Data(contentsOf: GoldenFiles.folder.appendingPathComponent("images/\(name).rgb"))
        let image = try PackedImage(
            width: entry.read("width"), height: entry.read("height"), bytes: [UInt8](bytes))
        return Stored(name: name, image: try image.upright(orientation: entry.read("orientation")))
    }
}
