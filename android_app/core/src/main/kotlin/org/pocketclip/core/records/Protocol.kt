package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.LoadMode

/** The version of jobs that this program takes; as Python's `benchmark.runners.protocol.JOB_VERSION`. */
const val JOB_VERSION = 4

/** The version of the results that it gives. */
const val RESULT_VERSION = 5

/**
 * When a model is warm: [stableWindows] successive windows of [windowIterations] have medians within [tolerance].
 *
 * @property minimumIterations no fewer are taken.
 * @property maximumIterations no window begins after so many.
 * @property maximumSeconds no window begins after so long.
 */
@Serializable
data class WarmupRule(
    @SerialName("window_iterations") val windowIterations: Int = 5,
    @SerialName("stable_windows") val stableWindows: Int = 3,
    val tolerance: Double = 0.05,
    @SerialName("minimum_iterations") val minimumIterations: Int = 15,
    @SerialName("maximum_iterations") val maximumIterations: Int = 200,
    @SerialName("maximum_seconds") val maximumSeconds: Double = 20.0,
)

/** A model input: raw little-endian values in C order, first axis samples. */
@Serializable
data class InputFile(val path: String, val dtype: ElementType, val shape: List<Int>)

/**
 * What shall be measured in one process. Paths are relative and POSIX: the model's below the internal folder, others
 * below the external one.
 */
@Serializable
data class Job(
    @SerialName("job_id") val jobId: String,
    val runtime: String,
    @SerialName("model_path") val modelPath: String,
    val inputs: List<InputFile>,
    val threads: Int,
    val warmup: WarmupRule,
    val iterations: Int,
    @SerialName("minimum_seconds") val minimumSeconds: Double,
    @SerialName("sustained_seconds") val sustainedSeconds: Double?,
    val cores: List<Int>?,
    @SerialName("outputs_path") val outputsPath: String,
    val accelerator: String,
    @SerialName("load_mode") val loadMode: LoadMode,
    @SerialName("job_version") val jobVersion: Int = JOB_VERSION,
)

/** The model's first output for every sample, in order, flattened to `(samples, values)`. */
@Serializable
data class OutputFile(val path: String, val dtype: ElementType, val shape: List<Int>, val sha256: String)

/** Why nothing was measured: a code for programs, a message for people. */
@Serializable
data class Failure(val code: FailureCode, val message: String)

/** Codes of [Failure]; the first five are the Python agent's too. */
@Serializable
enum class FailureCode {
    /** The job or request is malformed, of another version, or cannot be carried out here. */
    @SerialName("bad-job")
    BAD_JOB,

    /** The runtime cannot be loaded. */
    @SerialName("runtime-missing")
    RUNTIME_MISSING,

    /** The runtime refuses the model. */
    @SerialName("load-failed")
    LOAD_FAILED,

    /** The runtime failed in an inference. */
    @SerialName("inference-failed")
    INFERENCE_FAILED,

    /** An output holds NaN or infinity. */
    @SerialName("non-finite-output")
    NON_FINITE_OUTPUT,

    /** Below 20 % and not charging. */
    @SerialName("low-battery")
    LOW_BATTERY,

    /** Power saving is on. */
    @SerialName("power-saver")
    POWER_SAVER,

    /** The device is too warm, or became so. */
    @SerialName("thermal")
    THERMAL,

    /** The application is a debug build. */
    @SerialName("debuggable")
    DEBUGGABLE,

    /** The accelerator asked for is not there. */
    @SerialName("accelerator-missing")
    ACCELERATOR_MISSING,

    /** Something else than the NPU that was asked for executed the model. */
    @SerialName("accelerator-fallback")
    ACCELERATOR_FALLBACK,

    /** A file's size or hash is not what was announced. */
    @SerialName("model-altered")
    MODEL_ALTERED,

    /** A path leaves the application's own folder. */
    @SerialName("path-outside")
    PATH_OUTSIDE,

    /** The storage is full. */
    @SerialName("no-space")
    NO_SPACE,

    /** None of the photographs can be decoded. */
    @SerialName("photos-unreadable")
    PHOTOS_UNREADABLE,
    ;

    /** As documents write it. */
    val id: String get() = name.lowercase(java.util.Locale.ROOT).replace('_', '-')
}

/** What was found: a failure, or a launch and the outputs that came of it, or a throughput. */
@Serializable
data class AgentResult(
    @SerialName("result_version") val resultVersion: Int,
    @SerialName("job_id") val jobId: String?,
    val platform: String,
    val failure: Failure?,
    @SerialName("runtime_version") val runtimeVersion: String? = null,
    @SerialName("accelerator_observed") val acceleratorObserved: String? = null,
    val launch: Launch? = null,
    val outputs: OutputFile? = null,
    @SerialName("app_version") val appVersion: String? = null,
    /** Of the job as it was read, by which the harness finds that another application changed it. */
    @SerialName("request_sha256") val requestSha256: String? = null,
    val throughput: ThroughputLaunch? = null,
)
