package org.pocketclip.core.measuring

import java.time.OffsetDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.time.temporal.ChronoUnit
import java.util.Locale
import org.pocketclip.core.MeasurementCancelledException
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.records.Launch
import org.pocketclip.core.records.MachineState
import org.pocketclip.core.records.Minute
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Tensor

/**
 * What shall be measured.
 *
 * @property inputs at least one, each of batch 1; they are taken in turn.
 * @property iterations so many steady inferences at least,
 * @property minimumSeconds and so long.
 * @property sustainedSeconds goes on for that long afterwards; null does not.
 * @property cores that the process may use; null leaves it to the system.
 */
class MeasuringPlan(
    val model: ModelFile,
    val inputs: List<Tensor>,
    val options: LoadOptions,
    val warmup: WarmupRule = WarmupRule(),
    val iterations: Int = 100,
    val minimumSeconds: Double = 0.0,
    val sustainedSeconds: Double? = null,
    val cores: List<Int>? = null,
) {
    init {
        require(inputs.isNotEmpty()) { "a measurement needs at least one input" }
        require(iterations >= 1) { "a measurement needs at least one inference, got $iterations" }
    }
}

/** Two clocks: one that never jumps, and the wall's. */
interface Clocks {
    fun nanoTime(): Long

    fun wallNs(): Long

    /** This machine's. */
    object System : Clocks {
        override fun nanoTime(): Long = java.lang.System.nanoTime()

        override fun wallNs(): Long =
            java.time.Instant.now().let { it.epochSecond * 1_000_000_000L + it.nano }
    }
}

/** What came of a measurement: times, and one output for each input. */
class Measured(
    val launch: Launch,
    val outputs: List<FloatArray>,
    val runtimeVersion: String?,
    val acceleratorObserved: String?,
)

/**
 * One measurement: import, cold load, first inference, warm-up, steady state, warm load, each timed apart, in the order and
 * by the rules of Python's `benchmark.agent.measurement`.
 *
 * Every inference gets a real input and every output is checked to be finite, outside the timed section. No sample is
 * dropped. Beside each second of steady inferences the machine's state is noted.
 *
 * @param progress called with a few words between parts.
 * @param watcher called with each state that is noted; what it throws ends the measurement.
 * @param cancelled asked between inferences.
 */
class Measurement(
    private val runtime: InferenceRuntime,
    private val machine: Machine,
    private val clocks: Clocks = Clocks.System,
    private val progress: (String) -> Unit = {},
    private val watcher: (MachineState, Boolean) -> Unit = { _, _ -> },
    private val cancelled: () -> Boolean = { false },
) {
    /**
     * Measures; takes as long as the plan says.
     *
     * @throws org.pocketclip.core.ExecutionException as [InferenceRuntime.load] and [org.pocketclip.core.runtime.Session.run],
     * or an output is NaN or infinite.
     * @throws org.pocketclip.core.MachineException the machine does not keep the process to the cores.
     * @throws MeasurementCancelledException it was stopped.
     */
    fun run(plan: MeasuringPlan): Measured {
        val wall = clocks.wallNs()
        val steady = clocks.nanoTime()
        // Before the runtime is loaded: it asks once how many cores there are.
        plan.cores?.let(machine::keepToCores)
        val before = machine.state()
        val startedAt = now()
        val importNs = timed { runtime.prepare() }.second

        System.gc()
        // Libraries raise the peak on their own: what the model costs is counted from here.
        val peakReset = machine.memory.resetPeak()
        val baseline = machine.memory.residentBytes()
        val peakBefore = machine.memory.peakBytes()

        val dropped = machine.dropFileCache(plan.model.path)
        val (session, loadNs) = timed { runtime.load(plan.model, plan.options) }
        session.use {
            val loaded = machine.memory.residentBytes()
            val infer = Inferences(session, plan.inputs, clocks, cancelled)
            val first = infer.next()
            progress("loaded; warming up")
            val warmup = infer.warmUp(plan.warmup)
            progress("measuring")
            val watch = machine.watch()
            val during = mutableListOf<MachineState>()
            val samples = infer.steady(plan.iterations, plan.minimumSeconds) { during += noted(sustained = false) }
            val disturbance = watch.finish()
            val after = machine.state()
            val minutes = sustain(infer, plan.sustainedSeconds)
            val memory = machine.memory
            val launch = Launch(
                startedAt = startedAt,
                loadAverage = before.loadAverage,
                importNs = importNs,
                loadNs = loadNs,
                firstInferenceNs = first,
                warmupNs = warmup.samplesNs,
                warmupStationary = warmup.stationary,
                steadyNs = samples,
                baselineBytes = baseline,
                loadedBytes = loaded,
                peakBeforeLoadBytes = peakBefore,
                peakBytes = memory.peakBytes(),
                endBytes = memory.residentBytes(),
                peakReset = peakReset,
                fileCacheDropped = dropped,
                proportionalBytes = memory.proportionalBytes(),
                fileMappedBytes = memory.fileMappedBytes(),
                before = before,
                after = after,
                othersBusyCores = disturbance.othersBusyCores,
                stolenShare = disturbance.stolenShare,
                energyJoules = disturbance.energyJoules,
                minutes = minutes,
                during = during,
            )
            val outputs = infer.finishRound()
            val observed = session.acceleratorObserved
            // Only now: a second copy of the model must not count as memory of the first.
            val (again, reloadNs) = timed { runtime.load(plan.model, plan.options) }
            again.close()
            val jump = (clocks.wallNs() - wall) - (clocks.nanoTime() - steady)
            return Measured(launch.copy(reloadNs = reloadNs, clockJumpNs = jump), outputs, runtime.version, observed)
        }
    }

    /** Infers for that long; the samples of each minute with the machine's state at its end. */
    private fun sustain(infer: Inferences, seconds: Double?): List<Minute> {
        if (seconds == null || seconds <= 0) return emptyList()
        val minutes = mutableListOf<Minute>()
        val ends = clocks.nanoTime() + (seconds * NANOSECONDS).toLong()
        while (clocks.nanoTime() < ends) {
            val minuteEnds = minOf(ends, clocks.nanoTime() + MINUTE_NS)
            val taken = mutableListOf<Long>()
            while (taken.isEmpty() || clocks.nanoTime() < minuteEnds) taken += infer.next()
            minutes += Minute(taken, noted(sustained = true))
            progress("sustained: minute ${minutes.size}")
        }
        return minutes
    }

    private fun noted(sustained: Boolean): MachineState = machine.state().also { watcher(it, sustained) }

    private inline fun <T> timed(action: () -> T): Pair<T, Long> {
        val started = clocks.nanoTime()
        val value = action()
        return value to clocks.nanoTime() - started
    }

    private fun now(): String = OffsetDateTime.now(ZoneOffset.UTC).truncatedTo(ChronoUnit.SECONDS).format(MOMENT)

    private companion object {
        const val NANOSECONDS = 1e9
        const val MINUTE_NS = 60_000_000_000L
        val MOMENT: DateTimeFormatter = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ssxxx", Locale.ROOT)
    }
}
