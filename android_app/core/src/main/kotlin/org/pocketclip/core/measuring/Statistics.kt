package org.pocketclip.core.measuring

import kotlin.math.abs
import kotlin.math.floor
import org.pocketclip.core.records.Launch

/**
 * Steady latency of some launches, as Python's `benchmark.statistics.summaries.summarize_latency` gives it.
 *
 * Percentiles and [madNs] (median absolute deviation) pool the samples of all launches; [launchMedianNs] is the median of
 * the launches' medians, [launchSpread] their range as a share of it.
 */
data class LatencySummary(
    val samples: Int,
    val p50Ns: Double,
    val p90Ns: Double,
    val p95Ns: Double,
    val p99Ns: Double,
    val madNs: Double,
    val launchMediansNs: List<Double>,
    val launchMedianNs: Double,
    val launchSpread: Double,
)

/** Statistics of samples, derived on demand; those of numpy, to the last bit. */
object Statistics {
    /** The middle one of at least one value, or the mean of the two in the middle. */
    fun median(values: DoubleArray): Double {
        require(values.isNotEmpty()) { "the median of no values" }
        val sorted = values.sortedArray()
        val middle = sorted.size / 2
        return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
    }

    fun median(values: List<Long>): Double = median(doubles(values))

    /** The value below which `percent` of at least one value are, linear between neighbours. */
    fun percentile(values: DoubleArray, percent: Double): Double {
        require(values.isNotEmpty()) { "a percentile of no values" }
        require(percent in 0.0..100.0) { "a percentile is between 0 and 100, got $percent" }
        val sorted = values.sortedArray()
        val place = (sorted.size - 1) * (percent / 100)
        val below = floor(place).toInt()
        val above = minOf(below + 1, sorted.size - 1)
        val share = place - below
        val step = sorted[above] - sorted[below]
        // From the nearer neighbour, so that the result never goes beyond either.
        return if (share >= 0.5) sorted[above] - step * (1 - share) else sorted[below] + step * share
    }

    /** The median of the distances from the median. */
    fun medianAbsoluteDeviation(values: DoubleArray): Double {
        val middle = median(values)
        return median(DoubleArray(values.size) { abs(values[it] - middle) })
    }

    /** Summarises the steady samples of at least one launch. */
    fun summarize(launches: List<Launch>): LatencySummary {
        require(launches.isNotEmpty()) { "latency needs at least one launch" }
        val pooled = doubles(launches.flatMap { it.steadyNs })
        val medians = launches.map { median(it.steadyNs) }
        val middle = median(medians.toDoubleArray())
        val p50 = percentile(pooled, 50.0)
        return LatencySummary(
            samples = pooled.size,
            p50Ns = p50,
            p90Ns = percentile(pooled, 90.0),
            p95Ns = percentile(pooled, 95.0),
            p99Ns = percentile(pooled, 99.0),
            madNs = median(DoubleArray(pooled.size) { abs(pooled[it] - p50) }),
            launchMediansNs = medians,
            launchMedianNs = middle,
            launchSpread = if (middle == 0.0) 0.0 else (medians.max() - medians.min()) / middle,
        )
    }

    private fun doubles(values: List<Long>): DoubleArray = DoubleArray(values.size) { values[it].toDouble() }
}
