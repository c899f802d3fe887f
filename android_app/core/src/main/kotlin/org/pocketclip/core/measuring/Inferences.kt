package org.pocketclip.core.measuring

import org.pocketclip.core.MeasurementCancelledException
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor

/**
 * Warm-up: its samples, and whether the rule was met before its limits were.
 */
class Warmup(val samplesNs: List<Long>, val stationary: Boolean)

/** Runs inputs in turn and times each inference. */
internal class Inferences(
    private val session: Session,
    private val inputs: List<Tensor>,
    private val clocks: Clocks,
    private val cancelled: () -> Boolean,
) {
    private val outputs = arrayOfNulls<FloatArray>(inputs.size)
    private var place = 0

    /** One inference, in nanoseconds. */
    fun next(): Long {
        if (cancelled()) throw MeasurementCancelledException("the measurement was stopped")
        val index = place
        val input = inputs[index]
        val started = clocks.nanoTime()
        val output = session.run(input)
        val elapsed = clocks.nanoTime() - started
        if (!output.all { it.isFinite() }) throw NonFiniteException("the output holds NaN or infinity for sample $index")
        outputs[index] = output
        place = (index + 1) % inputs.size
        return elapsed
    }

    /** Infers until the medians of successive windows agree. */
    fun warmUp(rule: WarmupRule): Warmup {
        val taken = mutableListOf<Long>()
        val medians = mutableListOf<Double>()
        var spentNs = 0L
        while (taken.size < rule.maximumIterations && spentNs < rule.maximumSeconds * NANOSECONDS) {
            val window = List(rule.windowIterations) { next() }
            taken += window
            spentNs += window.sum()
            medians += Statistics.median(window)
            val latest = medians.takeLast(rule.stableWindows)
            if (
                taken.size >= rule.minimumIterations &&
                latest.size == rule.stableWindows &&
                latest.max() <= latest.min() * (1 + rule.tolerance)
            ) {
                return Warmup(taken, stationary = true)
            }
        }
        return Warmup(taken, stationary = false)
    }

    /** Steady samples; `afterBlock` is called after each second of inferences, and at the end. */
    fun steady(iterations: Int, minimumSeconds: Double, afterBlock: () -> Unit): List<Long> {
        val taken = ArrayList<Long>(iterations)
        var spentNs = 0L
        var blockNs = 0L
        while (taken.size < iterations || spentNs < minimumSeconds * NANOSECONDS) {
            val elapsed = next()
            taken += elapsed
            spentNs += elapsed
            blockNs += elapsed
            if (blockNs >= BLOCK_NS) {
                afterBlock()
                blockNs = 0
            }
        }
        if (blockNs > 0) afterBlock()
        return taken
    }

    /** Runs, untimed, the inputs that no inference has met yet; returns one output for each input. */
    fun finishRound(): List<FloatArray> {
        for (index in outputs.indices) {
            if (outputs[index] == null) {
                place = index
                next()
            }
        }
        return outputs.map { checkNotNull(it) }
    }

    private companion object {
        const val NANOSECONDS = 1e9

        // Android answers for its thermal headroom once a second.
        const val BLOCK_NS = 1_000_000_000L
    }
}
