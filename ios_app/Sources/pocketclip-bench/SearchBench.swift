import Foundation
import PocketClipCore

/// Measures searching an index, and finding duplicates in it where that is asked for.
///
/// The index is of made-up photographs, and is removed again. With `folder` it stays there: a later run finds it, and so
/// has none of the memory that writing took.
struct SearchBench {
    private static let queries = 200
    private static let flushEvery = 2000

    let photos: Int
    let width: Int
    let folder: URL?
    let findsDuplicates: Bool
    let machine: any Machine

    /// Prints a line for each figure.
    func run() async throws {
        let temporary = FileManager.default.temporaryDirectory.appendingPathComponent("pocketclip-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: temporary) }
        let folder = folder ?? temporary
        var numbers = RandomNumbers()
        if !FileManager.default.fileExists(atPath: folder.appendingPathComponent("index.json").path) {
            try write(to: folder, &numbers)
        }
        let stopwatch = ContinuousClock()
        say("at the start", machine.memory())
        var index: GalleryIndex?
        let reading = try stopwatch.measure { index = try GalleryIndex.read(from: folder) }
        guard let index else { return }
        print("\(index.count) photos of \(index.width) values; reading the index takes \(milliseconds(reading)) ms")
        var taken: [Int] = []
        var processorNs = 0
        for _ in 0..<Self.queries {
            let query = numbers.direction(index.width)
            let before = processorNanoseconds()
            let one = try stopwatch.measure { _ = try index.nearest(to: query, most: 60) }
            taken.append(one.wholeNanoseconds)
            processorNs += processorNanoseconds() - before
        }
        if let summary = LatencySummary([taken]) {
            let (p50, p90) = (summary.p50Ns / 1e6, summary.p90Ns / 1e6)
            print("a query takes \(rounded(p50)) ms (median), \(rounded(p90)) ms (p90) over \(taken.count)")
            print("of the processor it takes \(rounded(Double(processorNs) / Double(taken.count) / 1e6)) ms (mean)")
        }
        print("the matrix has \(megabytes(index.matrixBytes)) MB")
        say("after the queries", machine.memory())
        if findsDuplicates {
            var groups: [SimilarGroup] = []
            let start = stopwatch.now
            groups = try await index.similarGroups()
            let taken = milliseconds(stopwatch.now - start)
            print("\(groups.count) groups of near-duplicates; finding them takes \(taken) ms")
        }
    }

    /// Every hundredth photograph is nearly the one before.
    private func write(to folder: URL, _ numbers: inout RandomNumbers) throws {
        let sha = String(repeating: "0", count: 64)
        let origin = EmbeddingOrigin(
            model: "made-up", weightsSha256: sha, imageSha256: sha, width: width, artifact: "none")
        let writer = try GalleryWriter(opening: folder, identity: IndexIdentity(origin: origin, folder: "made-up"))
        // Two photographs have a cosine of about 0.5, as those of a real model often do.
        let common = numbers.direction(width)
        var last = common
        for place in 0..<photos {
            let own = numbers.direction(width)
            let near = place % 100 == 99
            last = Vectors.normalized(zip(near ? last : common, own).map { $0 + (near ? 0.05 : 1) * $1 }) ?? own
            try writer.add(PhotoReference(id: "\(UUID())/L0/001", version: "1700000000.\(place)"), last)
            if place % Self.flushEvery == 0 {
                try writer.flush()
            }
        }
        _ = try writer.close()
    }

    /// What this process had of the processor, which does not count what others take from it.
    private func processorNanoseconds() -> Int {
        Int(clock()) * (1_000_000_000 / Int(CLOCKS_PER_SEC))
    }

    private func say(_ when: String, _ memory: ProcessMemory) {
        let mapped = memory.fileMapped.map { ", of it \(megabytes($0)) MB of mapped files" } ?? ""
        print("memory \(when): \(megabytes(memory.resident ?? 0)) MB\(mapped)")
    }

    private func milliseconds(_ duration: Duration) -> String {
        rounded(Double(duration.wholeNanoseconds) / 1e6)
    }

    private func megabytes(_ bytes: Int) -> String {
        rounded(Double(bytes) / 1e6)
    }

    private func rounded(_ value: Double) -> String {
        String(format: "%.1f", value)
    }
}

/// The same numbers in every run.
private struct RandomNumbers {
    private var state: UInt64 = 1

    /// A vector of length 1, any direction as likely as another, nearly.
    mutating func direction(_ width: Int) -> [Float] {
        Vectors.normalized((0..<width).map { _ in next() + next() + next() }) ?? []
    }

    /// From -1 to 1.
    private mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
    }
}
