package org.pocketclip.app.measure

import org.pocketclip.app.bundles.NpuSummary
import org.pocketclip.core.records.Invalidity
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator

/**
 * A tower that can be measured.
 *
 * @property accelerators of its runtime, that which it is meant to be used with first.
 * @property npu what is measured in its place where the NPU is asked for; null where the bundle has nothing for this phone.
 */
data class Choice(
    val tower: Tower,
    val runtime: String,
    val precision: String,
    val accelerators: List<Accelerator>,
    val npu: NpuSummary? = null,
) {
    /** Runtime and precision of what is measured with an accelerator; null is the usual one. */
    fun measured(accelerator: Accelerator?): Pair<String, String> {
        val used = accelerator ?: accelerators.firstOrNull()
        return if (npu != null && used == Accelerator.NPU) npu.runtime to npu.precision else runtime to precision
    }
}

/**
 * One line of the table: what was asked for and what was found.
 *
 * @property acceleratorObserved what the runtime says has executed the model; null where it does not say.
 * @property peakBytes above what the process took before the load; null where the system cannot tell.
 * @property thermalStatus Android's, at the end: 0 none, 1 light and so on; null below Android 10.
 * @property invalid why the times may not be ranked, e.g. a battery that runs low; empty where they may.
 * @property record file with the whole record.
 */
data class MeasuredRow(
    val choice: Choice,
    val accelerator: Accelerator,
    val threads: Int,
    val acceleratorObserved: String?,
    val p50Ns: Double,
    val p90Ns: Double,
    val loadNs: Long,
    val peakBytes: Long?,
    val thermalStatus: Int?,
    val invalid: List<Invalidity>,
    val record: String,
)

/**
 * What the screen Measure shows beside the bundle.
 *
 * @property accelerator that is asked for; null for what each tower's runtime is meant to be used with.
 */
data class MeasureState(
    val choices: List<Choice> = emptyList(),
    val chosen: Set<Tower> = emptySet(),
    val accelerator: Accelerator? = null,
    val threads: Int = 1,
    val run: RunState = RunState.Idle,
    val rows: List<MeasuredRow> = emptyList(),
    val debugBuild: Boolean = false,
)

/** The run under way. */
sealed interface RunState {
    data object Idle : RunState

    /** [words] say what the measuring process does; null before it said anything. */
    data class Running(val tower: Tower, val words: String?) : RunState

    /** It failed; rows of towers before it are kept. */
    data class Failed(val message: String) : RunState
}
