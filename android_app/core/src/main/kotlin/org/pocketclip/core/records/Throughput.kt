package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.TensorSpec

/**
 * Photographs that shall become embeddings for so many seconds, in one process, as Python's
 * `benchmark.phone_app.throughput_protocol.ThroughputJob`. Paths are relative and POSIX: the model's below the internal
 * folder, those of photographs below the external one.
 *
 * @property decoders threads that decode and resize beside the runtime's [threads].
 * @property warmupPhotos so many photographs warm the process up,
 * @property stepPhotos before the steps of so many are timed one by one.
 */
@Serializable
data class ThroughputJob(
    @SerialName("job_id") val jobId: String,
    val runtime: String,
    @SerialName("model_path") val modelPath: String,
    val photos: List<FileEntry>,
    val preprocess: PreprocessSpec,
    val input: TensorSpec,
    val threads: Int,
    val decoders: Int,
    val seconds: Double,
    @SerialName("warmup_photos") val warmupPhotos: Int,
    @SerialName("step_photos") val stepPhotos: Int,
    val accelerator: String,
    @SerialName("job_version") val jobVersion: Int = JOB_VERSION,
)

/** A photograph that could not be decoded, by its path in the job, and why. */
@Serializable
data class UnreadablePhoto(val name: String, val reason: String)

/**
 * What a throughput came to, field for field as Python's `benchmark.records.throughput.ThroughputLaunch`: [photos] became
 * embeddings within [elapsedNs]; the other times are medians of one photograph, each step by itself.
 */
@Serializable
data class ThroughputLaunch(
    val photos: Int,
    @SerialName("elapsed_ns") val elapsedNs: Long,
    @SerialName("decode_ns") val decodeNs: Long,
    @SerialName("resize_ns") val resizeNs: Long,
    @SerialName("inference_ns") val inferenceNs: Long,
    val before: MachineState,
    val after: MachineState? = null,
    @SerialName("others_busy_cores") val othersBusyCores: Double? = null,
    @SerialName("stolen_share") val stolenShare: Double? = null,
    @SerialName("energy_joules") val energyJoules: Double? = null,
    val unreadable: Int = 0,
    @SerialName("first_unreadable") val firstUnreadable: List<UnreadablePhoto> = emptyList(),
)
