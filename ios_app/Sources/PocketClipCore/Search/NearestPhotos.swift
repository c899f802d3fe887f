/// The best few of many values, the best being the least: a heap of no more than `most`, with the worst on top.
struct BestFew<Element: Comparable> {
    private let most: Int
    private var heap: [Element] = []

    init(most: Int) {
        self.most = most
    }

    /// The one that the next must precede; nil while all are taken.
    var border: Element? {
        heap.count < most ? nil : heap.first
    }

    /// All of them, the best first.
    var sorted: [Element] { heap.sorted() }

    mutating func take(_ element: Element) {
        if heap.count < most {
            heap.append(element)
            rise(from: heap.count - 1)
        } else if let worst = heap.first, element < worst {
            heap[0] = element
            sink()
        }
    }

    private mutating func rise(from start: Int) {
        var place = start
        while place > 0, heap[(place - 1) / 2] < heap[place] {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func sink() {
        var place = 0
        while true {
            var worst = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[worst] < heap[child] {
                worst = child
            }
            guard worst != place else { return }
            heap.swapAt(place, worst)
            place = worst
        }
    }
}

/// A photograph that may be among the nearest; of two, the nearer one is less.
private struct Candidate: Comparable {
    let photo: PhotoReference
    let cosine: Float

    // Beyond six digits, equal rows may differ by the order in which a machine adds.
    var millionths: Double { Candidate.millionths(of: cosine) }

    static func millionths(of cosine: Float) -> Double {
        (Double(cosine) * 1e6).rounded(.toNearestOrEven)
    }

    static func == (left: Candidate, right: Candidate) -> Bool {
        left.millionths == right.millionths && left.photo.key == right.photo.key
    }

    static func < (left: Candidate, right: Candidate) -> Bool {
        let (own, other) = (left.millionths, right.millionths)
        return own == other ? left.photo.key < right.photo.key : own > other
    }
}

extension GalleryIndex {
    /// The photographs nearest to an embedding, the nearest first; equal ones by id.
    ///
    /// - Parameters:
    ///   - query: of length 1.
    ///   - most: how many to give.
    /// - Throws: `ModelError` where the query has another width or is not finite.
    public func nearest(to query: [Float], most: Int) throws -> [SearchHit] {
        try nearest(to: query, most: most, besides: nil)
    }

    /// The photographs that resemble one of them, itself left out; none where it is not in the index.
    public func similar(to photo: PhotoReference, most: Int) -> [SearchHit] {
        guard let entry = entry(of: photo.id) else { return [] }
        let query = withRows { HalfRows.floats($0.baseAddress! + entry.row * rowBytes, width: width) }
        // A row has the index's width, and is finite.
        return (try? nearest(to: query, most: most, besides: entry.photo.key)) ?? []
    }

    private func nearest(to query: [Float], most: Int, besides own: PhotoKey?) throws -> [SearchHit] {
        guard query.count == width else {
            throw PocketClipError.model(.shape(found: [query.count], wanted: [width]))
        }
        guard query.allSatisfy(\.isFinite) else {
            throw PocketClipError.model(.nonFinite(output: 0, sample: nil))
        }
        guard count > 0, most > 0 else { return [] }
        let prepared = RowQuery(query)
        var best = BestFew<Candidate>(most: most)
        withRows { rows in
            var border = -Float.infinity
            for entry in live {
                let cosine = prepared.product(with: rows.baseAddress! + entry.row &* rowBytes)
                // Most rows are told apart by this alone; those near the border by all their digits and the id.
                guard cosine >= border, entry.photo.key != own else { continue }
                best.take(Candidate(photo: entry.photo, cosine: cosine))
                border = best.border.map { $0.cosine - 1e-6 } ?? border
            }
        }
        return best.sorted.map { SearchHit(photo: $0.photo, cosine: Double($0.cosine)) }
    }
}
