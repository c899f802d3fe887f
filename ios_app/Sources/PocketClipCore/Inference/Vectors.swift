/// Arithmetic on embeddings. Sums are of double precision.
public enum Vectors {
    public static func dot(_ left: some Collection<Float>, _ right: some Collection<Float>) -> Double {
        zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// The vector divided by its length; nil where that is zero or not finite.
    public static func normalized(_ vector: [Float]) -> [Float]? {
        let length = dot(vector, vector).squareRoot()
        guard length > 0, length.isFinite else { return nil }
        return vector.map { Float(Double($0) / length) }
    }

    /// 0 where one of them is all zeros, so that a dead output never passes.
    public static func cosine(_ left: [Float], _ right: [Float]) -> Double {
        let lengths = (dot(left, left) * dot(right, right)).squareRoot()
        return lengths > 0 ? dot(left, right) / lengths : 0
    }
}
