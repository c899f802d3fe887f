package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonObject
import org.pocketclip.core.Documents
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.LoadMode

/** The schema of the records that this program writes: `benchmark/schemas/benchmark-record-v5.schema.json`. */
const val RECORD_SCHEMA_VERSION = 5

/** How far a benchmark came; an application measures or fails. */
@Serializable
enum class Status {
    @SerialName("measured")
    MEASURED,

    @SerialName("failed")
    FAILED,
}

/** Which of a model's two towers. */
@Serializable
enum class Tower {
    @SerialName("image")
    IMAGE,

    @SerialName("text")
    TEXT,
}

/**
 * Which artefact was measured; `sha256` covers all its files, the size the model files alone. `trained` is false where
 * the weights are random ones, null where it is not known.
 */
@Serializable
data class ArtifactIdentity(
    val model: String,
    val tower: Tower,
    val target: String,
    val precision: String,
    val sha256: String,
    @SerialName("weights_sha256") val weightsSha256: String,
    @SerialName("model_size_bytes") val modelSizeBytes: Long,
    val scheme: String,
    val trained: Boolean?,
)

/** What sort of machine a device is. */
@Serializable
enum class DeviceKind {
    @SerialName("host")
    HOST,

    @SerialName("emulated")
    EMULATED,

    @SerialName("phone")
    PHONE,
}

/**
 * The machine that ran the measurement.
 *
 * @property isa the instruction sets that matter to inference.
 * @property soc a phone's system on chip.
 * @property instance tells two machines of one name apart without giving either away: a hash.
 */
@Serializable
data class DeviceFacts(
    val name: String,
    val kind: DeviceKind,
    val os: String,
    val machine: String,
    val cpu: String,
    val isa: List<String>,
    @SerialName("logical_cores") val logicalCores: Int,
    @SerialName("memory_bytes") val memoryBytes: Long?,
    val soc: String? = null,
    val instance: String? = null,
)

/** What executed the model. Accelerators asked for and seen are told apart: fallbacks are silent. */
@Serializable
data class RuntimeFacts(
    val name: String,
    val version: String?,
    @SerialName("accelerator_requested") val acceleratorRequested: String,
    @SerialName("accelerator_observed") val acceleratorObserved: String?,
)

/** What was asked for; each as Python's `benchmark.records.benchmark.RunSettings`. */
@Serializable
data class RunSettings(
    val threads: Int = 1,
    val iterations: Int = 100,
    @SerialName("minimum_seconds") val minimumSeconds: Double = 0.0,
    val launches: Int = 1,
    val warmup: WarmupRule = WarmupRule(),
    @SerialName("load_mode") val loadMode: LoadMode = LoadMode.FILE,
    val cores: List<Int>? = null,
    @SerialName("until_share") val untilShare: Double? = null,
    @SerialName("budget_seconds") val budgetSeconds: Double? = null,
    @SerialName("sustained_seconds") val sustainedSeconds: Double? = null,
    val accelerator: String = Accelerator.CPU.id,
)

/** Outputs of this very run against the golden ones, worst sample: from PyTorch's, and from those at export. */
@Serializable
data class GoldenCheck(
    val samples: Int,
    @SerialName("cosine_min") val cosineMin: Double,
    @SerialName("max_abs") val maxAbs: Double,
    @SerialName("exported_cosine_min") val exportedCosineMin: Double,
)

/** What is done to an input before the model gets it. */
@Serializable
enum class PreparationStep {
    @SerialName("preprocess")
    PREPROCESS,

    @SerialName("tokenize")
    TOKENIZE,
}

/** Time to make one input from a decoded image of 8 bits, or from a sentence; no part of the latency. */
@Serializable
data class Preparation(
    val step: PreparationStep,
    @SerialName("executed_by") val executedBy: String,
    @SerialName("samples_ns") val samplesNs: List<Long>,
)

/** One condition under which a time may not be ranked. */
@Serializable
data class Invalidity(val code: String, val reason: String, val fix: String)

/**
 * The graph of an artefact for one chip.
 *
 * @property sdk the version of Qualcomm's libraries that prepared it.
 * @property graphs pieces on the NPU.
 * @property ops of what it was prepared from; null where they were not counted.
 * @property onCpu those of them that are left to the processor.
 */
@Serializable
data class NpuPlacement(
    val soc: String,
    val sdk: String,
    val graphs: Int,
    val ops: Int?,
    @SerialName("on_cpu") val onCpu: Int,
    @SerialName("size_bytes") val sizeBytes: Long,
)

/**
 * One artefact on one device, equal in form to the harness's own records.
 *
 * @property reason why it was not measured; null where it was.
 * @property parity what the export found; an application has none, nor a [profile] nor [instructions].
 * @property invalid conditions that forbid to rank it.
 * @property npu of variants for NPUs alone: the graph that ran.
 */
@Serializable
data class BenchmarkRecord(
    val artifact: ArtifactIdentity,
    val device: DeviceFacts,
    val runtime: RuntimeFacts,
    val settings: RunSettings,
    val status: Status,
    val reason: String?,
    val launches: List<Launch>,
    val parity: JsonObject?,
    @SerialName("golden_check") val goldenCheck: GoldenCheck?,
    @SerialName("agent_sha256") val agentSha256: String?,
    @SerialName("tool_version") val toolVersion: String,
    @SerialName("record_id") val recordId: String,
    @SerialName("created_at") val createdAt: String,
    val sustained: Launch? = null,
    val preparation: Preparation? = null,
    val profile: JsonObject? = null,
    val instructions: JsonObject? = null,
    val invalid: List<Invalidity> = emptyList(),
    val tag: String? = null,
    val npu: NpuPlacement? = null,
    val kind: String = "benchmark",
    @SerialName("schema_version") val schemaVersion: Int = RECORD_SCHEMA_VERSION,
) {
    init {
        require((status == Status.MEASURED) == (reason == null)) { "a reason belongs to records that were not measured" }
        require(status != Status.MEASURED || (launches.isNotEmpty() && goldenCheck != null)) {
            "a measured record needs at least one launch and a golden check"
        }
    }

    /** Whether its times may be compared with others. */
    val rankable: Boolean get() = status == Status.MEASURED && invalid.isEmpty()

    /** The record as JSON text, for a file of its own. */
    fun toJson(): String = Documents.write(serializer(), this)
}
