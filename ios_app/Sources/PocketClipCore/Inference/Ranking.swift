import Foundation

/// A label's place in its list with its cosine and probability.
public struct RankedLabel: Equatable, Sendable {
    public let place: Int
    public let cosine: Double
    public let probability: Double
}

/// Labels by their likelihood.
public enum Ranking {
    /// All labels, the likeliest first; equal ones in the order of the list.
    ///
    /// - Parameters:
    ///   - image: (D), of length 1.
    ///   - labels: K rows of (D), of length 1.
    ///   - logitScale: factor on the cosines before the softmax.
    public static func rank(image: [Float], labels: [[Float]], logitScale: Double) -> [RankedLabel] {
        // In single precision, as Python's product of float32 arrays.
        let cosines = labels.map { Double(Float(Vectors.dot(image, $0))) }
        let probabilities = softmax(cosines.map { logitScale * $0 })
        return labels.indices
            .sorted { (probabilities[$0], $1) > (probabilities[$1], $0) }
            .map { RankedLabel(place: $0, cosine: cosines[$0], probability: probabilities[$0]) }
    }

    static func softmax(_ logits: [Double]) -> [Double] {
        guard let highest = logits.max() else { return [] }
        let weights = logits.map { exp($0 - highest) }
        let total = weights.reduce(0, +)
        return weights.map { $0 / total }
    }
}
