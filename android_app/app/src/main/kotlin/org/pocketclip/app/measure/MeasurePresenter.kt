package org.pocketclip.app.measure

import java.io.File
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.BundleSummary
import org.pocketclip.app.bundles.TowerSummary
import org.pocketclip.core.Documents
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.measuring.Statistics
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator

/** The screen Measure without its views. A run goes on while the phone is turned or another screen is shown. */
class MeasurePresenter(
    private val scope: CoroutineScope,
    private val io: CoroutineDispatcher,
    private val bundle: StateFlow<BundleState>,
    private val bundleFolder: () -> File?,
    private val accelerators: (runtime: String) -> List<Accelerator>,
    private val measurer: Measurer,
    debugBuild: Boolean,
) {
    private val current = MutableStateFlow(MeasureState(debugBuild = debugBuild))
    private var work: Job? = null

    val state: StateFlow<MeasureState> = current.asStateFlow()

    init {
        scope.launch {
            bundle.collect { state ->
                // Files of the bundle before may go.
                if (state is BundleState.Ready && work?.isActive == true) cancel()
                val choices = if (state is BundleState.Ready) withContext(io) { choices(state.engine.summary) } else emptyList()
                current.update { it.copy(choices = choices, chosen = choices.mapTo(LinkedHashSet()) { choice -> choice.tower }) }
                current.update(::withOffered)
            }
        }
    }

    /** Accelerators that every chosen tower's runtime has. */
    fun offered(state: MeasureState): List<Accelerator> =
        state.choices.filter { it.tower in state.chosen }.map { it.accelerators.toSet() }
            .reduceOrNull { common, more -> common intersect more }.orEmpty().sorted()

    fun choose(tower: Tower, chosen: Boolean) = current.update {
        withOffered(it.copy(chosen = if (chosen) it.chosen + tower else it.chosen - tower))
    }

    private fun withOffered(state: MeasureState): MeasureState =
        if (state.accelerator in offered(state)) state else state.copy(accelerator = null)

    /** Asks for an accelerator; null leaves it to each tower's runtime. */
    fun setAccelerator(accelerator: Accelerator?) = current.update { it.copy(accelerator = accelerator) }

    fun setThreads(threads: Int) = current.update { it.copy(threads = threads.coerceIn(1, MOST_THREADS)) }

    /** Measures the chosen towers, one after the other; does nothing while a run is under way. */
    fun run() {
        val folder = bundleFolder() ?: return
        val asked = current.value
        val chosen = asked.choices.filter { it.tower in asked.chosen }
        if (work?.isActive == true || chosen.isEmpty()) return
        current.update { it.copy(run = RunState.Running(chosen[0].tower, null)) }
        work = scope.launch {
            for (choice in chosen) {
                current.update { it.copy(run = RunState.Running(choice.tower, null)) }
                val failure = measure(choice, asked, folder)
                if (failure != null) {
                    current.update { it.copy(run = failure) }
                    return@launch
                }
            }
            current.update { it.copy(run = RunState.Idle) }
        }
    }

    /** Ends the run; what was measured before is kept. */
    fun cancel() {
        work?.cancel()
        current.update { it.copy(run = RunState.Idle) }
    }

    private suspend fun measure(choice: Choice, asked: MeasureState, folder: File): RunState.Failed? {
        val accelerator = asked.accelerator ?: choice.accelerators.firstOrNull() ?: Accelerator.CPU
        val settings = RunSettings(
            threads = asked.threads,
            iterations = ITERATIONS,
            minimumSeconds = MINIMUM_SECONDS,
            accelerator = accelerator.id,
        )
        try {
            val file = measurer.measure(MeasureRequest(folder.path, choice.tower, settings)) { words ->
                current.update { if (it.run is RunState.Running) it.copy(run = RunState.Running(choice.tower, words)) else it }
            }
            val record = withContext(io) { Documents.read(BenchmarkRecord.serializer(), file.readText(), file.name) }
            record.reason?.let { return RunState.Failed(it) }
            current.update { it.copy(rows = it.rows + row(choice, accelerator, asked.threads, record, file)) }
            return null
        } catch (error: PocketClipException) {
            return RunState.Failed(error.message.orEmpty())
        }
    }

    private fun row(
        choice: Choice,
        accelerator: Accelerator,
        threads: Int,
        record: BenchmarkRecord,
        file: File,
    ): MeasuredRow {
        val launch = record.launches.first()
        val latency = Statistics.summarize(record.launches)
        return MeasuredRow(
            choice = choice,
            accelerator = accelerator,
            threads = threads,
            acceleratorObserved = record.runtime.acceleratorObserved,
            p50Ns = latency.p50Ns,
            p90Ns = latency.p90Ns,
            loadNs = launch.loadNs,
            peakBytes = launch.peakOverBaselineBytes,
            thermalStatus = launch.after?.thermalStatus,
            invalid = record.invalid,
            record = file.path,
        )
    }

    private fun choices(summary: BundleSummary): List<Choice> {
        fun choice(tower: Tower, of: TowerSummary): Choice {
            val own = accelerators(of.runtime)
            // The NPU runs the variant where there is one, and nothing where none fits.
            val offered = when {
                of.npu != null -> listOf(Accelerator.NPU) + (own - Accelerator.NPU)
                of.whyNotNpu != null -> own - Accelerator.NPU
                else -> own
            }
            return Choice(tower, of.runtime, of.precision, offered, of.npu)
        }
        return listOf(choice(Tower.IMAGE, summary.image), choice(Tower.TEXT, summary.text))
    }

    private companion object {
        const val MOST_THREADS = 8
        const val ITERATIONS = 50
        const val MINIMUM_SECONDS = 2.0
    }
}
