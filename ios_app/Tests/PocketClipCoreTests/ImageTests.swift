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
