/// Two photographs by their places among all that are compared, and their cosine.
struct AlikePair: Sendable {
    let first: Int
    let second: Int
    let cosine: Float
}

/// Some rows in single precision, to be compared with those of another tile.
///
/// Eight rows make a group. A group's vectors have the values of its rows at one place after the other, so that the sums
/// of eight products grow side by side. Zeros fill up the last group and the last step.
struct RowTile: Sendable {
    static let rows = 128
    private static let groupRows = 8
    private static let stepValues = 64
    // Of a product of two rows of length 1, many times what single precision loses.
    private static let margin: Float = 1e-4

    /// The place of the first row among all that are compared.
    let start: Int
    let count: Int
    private let steps: Int
    /// (groups, values of a row).
    private var values: [SIMD8<Float>]
    /// (groups, steps): the lengths of what follows a step.
    private var restLengths: [SIMD8<Float>]

    private var groups: Int { (count + Self.groupRows - 1) / Self.groupRows }
    private var groupVectors: Int { steps * Self.stepValues }

    /// - Parameters:
    ///   - matrix: rows of finite half floats.
    ///   - places: of all that are compared, its row.
    ///   - start: the place of the first row of this tile.
    ///   - width: values of a row.
    init(_ matrix: UnsafeRawBufferPointer, _ places: [Int], start: Int, width: Int) {
        self.start = start
        count = min(Self.rows, places.count - start)
        steps = (width + Self.stepValues - 1) / Self.stepValues
        (values, restLengths) = ([], [])
        values = Array(repeating: .zero, count: groups * groupVectors)
        restLengths = Array(repeating: .zero, count: groups * steps)
        for number in 0..<count {
            let (group, lane) = (number / Self.groupRows, number % Self.groupRows)
            let row = matrix.baseAddress! + 2 * width * places[start + number]
            for chunk in 0..<HalfRows.chunkCount(width: width) {
                let (one, two) = HalfRows.widened(HalfRows.chunk(chunk, of: row, width: width))
                let goal = group * groupVectors + chunk * HalfRows.chunkValues
                for place in 0..<8 {
                    values[goal + place][lane] = one[place] * HalfRows.scale
                    values[goal + 8 + place][lane] = two[place] * HalfRows.scale
                }
            }
        }
        for group in 0..<groups {
            var rest = SIMD8<Float>.zero
            for step in (0..<steps).reversed() {
                restLengths[group * steps + step] = rest.squareRoot()
                let begin = group * groupVectors + step * Self.stepValues
                for place in begin..<begin + Self.stepValues {
                    rest += values[place] * values[place]
                }
            }
        }
    }

    /// The pairs of a row of this and one of another tile that are alike; within one tile, each pair once.
    func pairs(with other: RowTile, leastCosine: Float) -> [AlikePair] {
        var found: [AlikePair] = []
        let half = Self.groupRows / 2
        for first in stride(from: 0, to: count, by: half) {
            for second in (start == other.start ? first / Self.groupRows : 0)..<other.groups {
                guard let products = products(from: first, with: other, second, leastCosine) else { continue }
                for (number, row) in products.enumerated() {
                    for lane in 0..<Self.groupRows where row[lane] >= leastCosine {
                        let (one, two) = (first + number, second * Self.groupRows + lane)
                        if one < count, two < other.count, start + one < other.start + two {
                            found.append(AlikePair(first: start + one, second: other.start + two, cosine: row[lane]))
                        }
                    }
                }
            }
        }
        return found
    }

    /// The products of four rows with a group of another tile, row by row; nil once what is left to add cannot make one
    /// of them large enough.
    private func products(
        from first: Int, with other: RowTile, _ second: Int, _ leastCosine: Float
    ) -> [SIMD8<Float>]? {
        let (group, lane) = (first / Self.groupRows, first % Self.groupRows)
        var (a, b, c, d) = (SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero)
        let isPossible = values.withUnsafeBytes { own in
            other.values.withUnsafeBufferPointer { others in
                for step in 0..<steps {
                    let place = step * Self.stepValues
                    let start = Self.groupRows * (group * groupVectors + place) + lane
                    let row = own.baseAddress!.assumingMemoryBound(to: Float.self) + start
                    let vectors = others.baseAddress! + second * other.groupVectors + place
                    for each in 0..<Self.stepValues {
                        let vector = vectors[each]
                        a += row[Self.groupRows &* each] * vector
                        b += row[Self.groupRows &* each &+ 1] * vector
                        c += row[Self.groupRows &* each &+ 2] * vector
                        d += row[Self.groupRows &* each &+ 3] * vector
                    }
                    let rest = restLengths[group * steps + step]
                    let otherRest = other.restLengths[second * steps + step]
                    let reached = max(
                        (a + rest[lane] * otherRest).max(), (b + rest[lane + 1] * otherRest).max(),
                        (c + rest[lane + 2] * otherRest).max(), (d + rest[lane + 3] * otherRest).max())
                    if reached < leastCosine - Self.margin {
                        return false
                    }
                }
                return true
            }
        }
        return isPossible ? [a, b, c, d] : nil
    }
}
