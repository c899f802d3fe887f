import Foundation

extension GalleryIndex {
    // Tiles that one task compares with a tile: enough work for a task, few enough pairs in memory.
    private static let tilesPerTask = 8

    /// Groups of photographs of which each resembles another of its group, the most alike first.
    ///
    /// Every pair is looked at, though most only at some of their values: see `RowTile`. All cores work; the memory does
    /// not grow with the number of pairs. Cancelling the task ends it.
    ///
    /// - Parameters:
    ///   - leastCosine: of two photographs that count as alike, 0 to 1.
    ///   - progress: told the share that is done, at most a hundred times.
    /// - Throws: `CancellationError`.
    public func similarGroups(
        leastCosine: Double = SimilarGroup.nearDuplicates, progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> [SimilarGroup] {
        let photos = live.sorted { $0.photo.key < $1.photo.key }
        let rows = photos.map(\.row)
        let starts = Array(stride(from: 0, to: rows.count, by: RowTile.rows))
        var joined = JoinedPhotos(count: rows.count)
        try await withThrowingTaskGroup(of: [AlikePair].self) { group in
            var waiting = starts.indices.lazy.flatMap { first in
                stride(from: first, to: starts.count, by: Self.tilesPerTask).lazy.map { (first, $0) }
            }.makeIterator()
            let tasks = starts.indices.map { (starts.count - $0 + Self.tilesPerTask - 1) / Self.tilesPerTask }
            let total = tasks.reduce(0, +)
            var done = 0
            func begin() {
                guard let (first, second) = waiting.next() else { return }
                let seconds = starts[second..<min(second + Self.tilesPerTask, starts.count)]
                group.addTask { try pairs(of: starts[first], with: seconds, rows, Float(leastCosine)) }
            }
            for _ in 0..<ProcessInfo.processInfo.activeProcessorCount {
                begin()
            }
            while let pairs = try await group.next() {
                begin()
                for pair in pairs {
                    joined.join(pair)
                }
                done += 1
                if 100 * done / total > 100 * (done - 1) / total {
                    progress(Double(done) / Double(total))
                }
            }
        }
        return joined.groups()
            .map { SimilarGroup(photos: $0.members.map { photos[$0].photo }, cosine: Double($0.cosine)) }
            .sorted { $0.cosine == $1.cosine ? $0.photos[0].key < $1.photos[0].key : $0.cosine > $1.cosine }
    }

    /// The alike pairs of one tile with some others.
    private func pairs(
        of first: Int, with seconds: ArraySlice<Int>, _ rows: [Int], _ leastCosine: Float
    ) throws -> [AlikePair] {
        try withRows { matrix in
            let tile = RowTile(matrix, rows, start: first, width: width)
            var found: [AlikePair] = []
            for second in seconds {
                try Task.checkCancellation()
                let other = second == first ? tile : RowTile(matrix, rows, start: second, width: width)
                found += tile.pairs(with: other, leastCosine: leastCosine)
            }
            return found
        }
    }
}

/// Which photographs hang together by pairs that are alike, and the least cosine of those pairs.
private struct JoinedPhotos {
    private var parents: [Int]
    private var least: [Float]

    init(count: Int) {
        parents = Array(0..<count)
        least = Array(repeating: 1, count: count)
    }

    mutating func join(_ pair: AlikePair) {
        let (one, two) = (root(of: pair.first), root(of: pair.second))
        // The first of a group stands for it: so its members come in their order.
        let (kept, other) = (min(one, two), max(one, two))
        parents[other] = kept
        least[kept] = min(least[kept], least[other], pair.cosine)
    }

    /// The members and the least cosine of each group of two or more.
    mutating func groups() -> [(members: [Int], cosine: Float)] {
        var members: [Int: [Int]] = [:]
        for place in parents.indices {
            let root = root(of: place)
            if root != place {
                members[root, default: [root]].append(place)
            }
        }
        return members.map { ($1, least[$0]) }
    }

    private mutating func root(of start: Int) -> Int {
        var place = start
        while parents[place] != place {
            parents[place] = parents[parents[place]]
            place = parents[place]
        }
        return place
    }
}
