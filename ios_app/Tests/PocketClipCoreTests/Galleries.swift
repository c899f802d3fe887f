import Foundation
import PocketClipTestSupport

@testable import PocketClipCore

/// Indexes as tests make them: vectors of four values, of photographs that are named by numbers.
enum Galleries {
    static func identity(image: Character = "2", width: Int = 4, folder: String = "greys") throws -> IndexIdentity {
        try IndexIdentity(
            origin: EmbeddingOrigin(
                model: "fake", weightsSha256: String(repeating: "1", count: 64),
                imageSha256: String(repeating: image, count: 64), width: width, artifact: "clip.bundle/image"),
            folder: folder)
    }

    static func photo(_ number: Int, version: String = "1") -> PhotoReference {
        PhotoReference(id: "photo \(number)", version: version, name: number % 2 == 0 ? "\(number).jpg" : nil)
    }

    /// A vector of length 1, another for each number.
    static func vector(_ number: Int, width: Int = 4) -> [Float] {
        var state = UInt64(number + 1) &* 0x9e37_79b9_7f4a_7c15
        let values = (0..<width).map { _ -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
        }
        return Vectors.normalized(values) ?? values
    }

    /// Writes an index of photographs with their own vectors.
    @discardableResult
    static func write(_ numbers: some Sequence<Int>, to folder: URL) throws -> GalleryIndex {
        let writer = try GalleryWriter(opening: folder, identity: identity())
        for number in numbers {
            try writer.add(photo(number), vector(number))
        }
        return try writer.close()
    }

    static func read(_ folder: URL) throws -> GalleryIndex {
        try GalleryIndex.read(from: folder) ?? GalleryIndex(identity: identity())
    }

    /// Every photograph with its cosine to its own vector: 1 where its row is its own.
    static func worstCosine(_ index: GalleryIndex, _ numbers: some Sequence<Int>) throws -> Double {
        var worst = 1.0
        for number in numbers {
            let hits = try index.nearest(to: vector(number), most: 1000)
            worst = min(worst, hits.first { $0.id == photo(number).id }?.cosine ?? -1)
        }
        return worst
    }

    static func text(_ file: URL) throws -> String {
        String(decoding: try Data(contentsOf: file), as: UTF8.self)
    }
}
