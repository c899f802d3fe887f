package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** One minute of a sustained run: its samples, and the machine at its end. */
@Serializable
data class Minute(
    @SerialName("steady_ns") val steadyNs: List<Long>,
    val after: MachineState,
)

/**
 * One process: what it took, in the order in which it happened. Field for field as Python's
 * `benchmark.records.launch.Launch`, which explains each; null is what the device does not tell.
 *
 * @property during the machine after each block of steady inferences.
 */
@Serializable
data class Launch(
    @SerialName("started_at") val startedAt: String,
    @SerialName("load_average") val loadAverage: Double?,
    @SerialName("import_ns") val importNs: Long,
    @SerialName("load_ns") val loadNs: Long,
    @SerialName("first_inference_ns") val firstInferenceNs: Long,
    @SerialName("warmup_ns") val warmupNs: List<Long>,
    @SerialName("warmup_stationary") val warmupStationary: Boolean,
    @SerialName("steady_ns") val steadyNs: List<Long>,
    @SerialName("baseline_bytes") val baselineBytes: Long?,
    @SerialName("loaded_bytes") val loadedBytes: Long?,
    @SerialName("peak_before_load_bytes") val peakBeforeLoadBytes: Long?,
    @SerialName("peak_bytes") val peakBytes: Long?,
    @SerialName("end_bytes") val endBytes: Long?,
    @SerialName("peak_reset") val peakReset: Boolean,
    @SerialName("file_cache_dropped") val fileCacheDropped: Boolean = false,
    @SerialName("reload_ns") val reloadNs: Long? = null,
    @SerialName("proportional_bytes") val proportionalBytes: Long? = null,
    @SerialName("file_mapped_bytes") val fileMappedBytes: Long? = null,
    val before: MachineState? = null,
    val after: MachineState? = null,
    @SerialName("others_busy_cores") val othersBusyCores: Double? = null,
    @SerialName("stolen_share") val stolenShare: Double? = null,
    @SerialName("energy_joules") val energyJoules: Double? = null,
    @SerialName("clock_jump_ns") val clockJumpNs: Long? = null,
    val minutes: List<Minute> = emptyList(),
    val during: List<MachineState> = emptyList(),
    @SerialName("first_load") val firstLoad: Boolean? = null,
) {
    /** Memory the model cost at most, or null where the system cannot tell it from earlier peaks. */
    val peakOverBaselineBytes: Long?
        get() = when {
            baselineBytes == null || peakBytes == null -> null
            !peakReset && peakBytes == peakBeforeLoadBytes -> null
            else -> maxOf(0, peakBytes - baselineBytes)
        }
}
