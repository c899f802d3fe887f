/// Statistics of records, equal to Python's (`benchmark/statistics/summaries.py`). Times are nanoseconds.
public enum Statistics {
    /// The middle value, or the mean of both. Zero of none.
    public static func median(_ values: [Double]) -> Double {
        percentile(values, 50)
    }

    /// By linear interpolation between the two nearest, as numpy's. Zero of none.
    public static func percentile(_ values: [Double], _ percent: Double) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let place = percent / 100 * Double(sorted.count - 1)
        let below = min(Int(place), sorted.count - 1)
        let above = min(below + 1, sorted.count - 1)
        let share = place - Double(below)
        // As numpy interpolates: from the nearer end, so that both ends are met exactly.
        let step = sorted[above] - sorted[below]
        return share >= 0.5 ? sorted[above] - step * (1 - share) : sorted[below] + step * share
    }
}

/// Steady latency of one record: percentiles pool the samples of all launches, `launchSpread` is the range of the
/// launches' medians as a share of their median.
public struct LatencySummary: Equatable, Sendable {
    public let samples: Int
    public let p50Ns: Double
    public let p90Ns: Double
    public let p95Ns: Double
    public let p99Ns: Double
    public let madNs: Double
    public let launchMediansNs: [Double]
    public let launchMedianNs: Double
    public let launchSpread: Double

    /// Of the steady samples of each launch; nil where there are none.
    public init?(_ launches: [[Int]]) {
        let pooled = launches.flatMap { $0.map(Double.init) }
        guard !pooled.isEmpty, launches.allSatisfy({ !$0.isEmpty }) else { return nil }
        samples = pooled.count
        p50Ns = Statistics.percentile(pooled, 50)
        p90Ns = Statistics.percentile(pooled, 90)
        p95Ns = Statistics.percentile(pooled, 95)
        p99Ns = Statistics.percentile(pooled, 99)
        let middle = p50Ns
        madNs = Statistics.median(pooled.map { abs($0 - middle) })
        launchMediansNs = launches.map { Statistics.median($0.map(Double.init)) }
        launchMedianNs = Statistics.median(launchMediansNs)
        let range = (launchMediansNs.max() ?? 0) - (launchMediansNs.min() ?? 0)
        launchSpread = launchMedianNs > 0 ? range / launchMedianNs : 0
    }
}
