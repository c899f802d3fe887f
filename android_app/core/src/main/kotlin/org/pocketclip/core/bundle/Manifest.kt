package org.pocketclip.core.bundle

import kotlinx.serialization.EncodeDefault
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.ElementType

/** The newest schema that this version reads. */
const val BUNDLE_SCHEMA_VERSION = 2

/** The schema of bundles with variants for Apple's newer systems, which no Android phone runs. */
internal const val APPLE_SCHEMA_VERSION = 3

/** The schema of bundles without variants for chips. */
const val PLAIN_SCHEMA_VERSION = 1

/** The manifest's file name. */
const val BUNDLE_NAME = "bundle.json"

/** A file of raw little-endian values in C order, of exactly this shape. */
@Serializable
data class StoredTensor(val file: String, val shape: List<Int>, val dtype: ElementType)

/** The trained model behind both towers; [logitScale] is the factor on cosines before the softmax. */
@Serializable
data class ModelIdentity(
    val name: String,
    @SerialName("config_sha256") val configSha256: String,
    @SerialName("weights_sha256") val weightsSha256: String,
    val parameters: Long,
    @SerialName("embedding_dim") val embeddingDim: Int,
    @SerialName("logit_scale") val logitScale: Double,
)

/** An input or output of a model file: fixed shape of batch 1, type, layout, and the range its values lie in. */
@Serializable
data class TensorSpec(
    val name: String,
    val shape: List<Int>,
    val dtype: String,
    val layout: String,
    val minimum: Double,
    val maximum: Double,
)

/** What computed golden outputs. */
@Serializable
data class Execution(val runtime: String, val machine: String, val features: List<String>)

/** The least cosine and the largest error of a component, between embeddings of length 1. */
@Serializable
data class Tolerance(
    @SerialName("cosine_min") val cosineMin: Double,
    @SerialName("max_abs") val maxAbs: Double,
)

/** How far a self-test's outputs may be from the golden ones: on the same machine, on others, and from PyTorch. */
@Serializable
data class TowerTolerances(val same: Tolerance, val other: Tolerance, val reference: Tolerance?)

/** How the tower compared with PyTorch when it was exported. */
@Serializable
data class ParitySummary(
    val samples: Int,
    @SerialName("cosine_mean") val cosineMean: Double,
    @SerialName("cosine_min") val cosineMin: Double,
    @SerialName("top1_agreement") val top1Agreement: Double,
    val failures: List<String>,
)

/** Inputs as the tower's file takes them, PyTorch's outputs, and what the file gave when it was exported. */
@Serializable
data class TowerGolden(val inputs: StoredTensor, val reference: StoredTensor, val outputs: StoredTensor)

/**
 * A tower's model file or package folder, what runs it, what it takes and gives.
 *
 * @property scheme target and precision with what differs from the usual form; empty in the oldest bundles.
 */
sealed interface BundledModel {
    val target: String
    val precision: String
    val runtime: String
    val minimumIos: Int?
    val entryPoint: String
    val input: TensorSpec
    val output: TensorSpec
    val normalized: Boolean
    val artifactSha256: String
    val parity: ParitySummary?
    val tolerances: TowerTolerances
    val golden: TowerGolden
    val scheme: String

    /** The folder in the bundle that holds its files alone. */
    val place: String get() = entryPoint.substringBefore('/')
}

/** One tower, which runs on every phone. */
@Serializable
data class BundledTower(
    override val target: String,
    override val precision: String,
    override val runtime: String,
    val requires: String?,
    @SerialName("minimum_ios") override val minimumIos: Int?,
    @SerialName("entry_point") override val entryPoint: String,
    override val input: TensorSpec,
    override val output: TensorSpec,
    override val normalized: Boolean,
    val versions: Map<String, String>,
    @SerialName("artifact_sha256") override val artifactSha256: String,
    override val parity: ParitySummary?,
    @SerialName("executed_by") val executedBy: Execution,
    override val tolerances: TowerTolerances,
    override val golden: TowerGolden,
    override val scheme: String = "",
) : BundledModel

/**
 * What runs in a tower's place on phones with one chip: a graph prepared for the chip's NPU.
 *
 * @property soc the chip's name, as phones say it.
 * @property sdk the version of Qualcomm's libraries that prepared the graph: older ones refuse it.
 * @property graphs pieces on the NPU.
 * @property onCpu ops that are left to the processor.
 */
@Serializable
data class NpuVariant(
    override val target: String,
    override val precision: String,
    override val runtime: String,
    val requires: String?,
    @SerialName("minimum_ios") override val minimumIos: Int?,
    @SerialName("entry_point") override val entryPoint: String,
    override val input: TensorSpec,
    override val output: TensorSpec,
    override val normalized: Boolean,
    val versions: Map<String, String>,
    @SerialName("artifact_sha256") override val artifactSha256: String,
    override val parity: ParitySummary?,
    @SerialName("executed_by") val executedBy: Execution,
    override val tolerances: TowerTolerances,
    override val golden: TowerGolden,
    override val scheme: String,
    val tower: Tower,
    val soc: String,
    val sdk: String,
    val graphs: Int,
    @SerialName("on_cpu") val onCpu: Int,
) : BundledModel

/** How an image that is no square becomes one: its centre, or the whole of it squeezed. */
@Serializable
enum class ResizeMode {
    @SerialName("shortest")
    SHORTEST,

    @SerialName("squash")
    SQUASH,
}

/** The resampling filter, antialiased. */
@Serializable
enum class Interpolation {
    @SerialName("bilinear")
    BILINEAR,

    @SerialName("bicubic")
    BICUBIC,
}

/** How pixels become the image tower's input: `(x / 255 - mean) / std`. */
@Serializable
data class PreprocessSpec(
    @SerialName("image_size") val imageSize: Int,
    @SerialName("resize_mode") val resizeMode: ResizeMode,
    val interpolation: Interpolation,
    val mean: List<Double>,
    val std: List<Double>,
)

/** A step that text goes through before it is split. */
@Serializable
enum class Cleaning {
    /** What Python's `ftfy.fix_text` does; see [org.pocketclip.core.tokenizer.TextCleaning] for what is done here. */
    @SerialName("ftfy")
    FTFY,

    /** Character references become characters. */
    @SerialName("html-unescape")
    HTML_UNESCAPE,

    /** Each run of whitespace becomes one space, none is left at the ends. */
    @SerialName("collapse-whitespace")
    COLLAPSE_WHITESPACE,

    /** Lower case by Unicode's rules, of no language in particular. */
    @SerialName("lower")
    LOWER,
}

/** Text that is one token of CLIP's vocabulary by itself. */
@Serializable
data class SpecialText(val text: String, val id: Int)

/** The CLIP byte-pair tokenizer as numbers; `docs/bundles.md` explains each. */
@Serializable
data class TokenizerSpec(
    @SerialName("context_length") val contextLength: Int,
    @SerialName("vocabulary_size") val vocabularySize: Int,
    @SerialName("start_id") val startId: Int,
    @SerialName("end_id") val endId: Int,
    @SerialName("pad_id") val padId: Int,
    val cleaning: List<Cleaning>,
    val pattern: String,
    @SerialName("special_texts") val specialTexts: List<SpecialText>,
    @SerialName("byte_order") val byteOrder: List<Int>,
    val merges: StoredTensor,
    @SerialName("kept_ids") val keptIds: StoredTensor?,
)

/** What happens to a filled template: nothing, or `a ` before one of `aeiou` becomes `an `. */
@Serializable
enum class Articles {
    @SerialName("as-written")
    AS_WRITTEN,

    @SerialName("english")
    ENGLISH,
}

/** Sentences in which `{}` stands for a label. */
@Serializable
data class PromptTemplates(val name: String, val texts: List<String>, val articles: Articles)

/** Labels with their text embeddings (K, D), normalised. */
@Serializable
data class LabelSet(val names: List<String>, val embeddings: StoredTensor)

/** The best labels of an image, the first one first. */
@Serializable
data class GoldenRanking(val places: List<Int>, val cosines: List<Double>, val probabilities: List<Double>)

/** An image from pixels (H, W, 3) to labels. */
@Serializable
data class GoldenImage(val name: String, val pixels: StoredTensor, val ranking: GoldenRanking?)

/** Golden data of the whole way. */
@Serializable
data class EndToEnd(
    val images: List<GoldenImage>,
    val preprocessed: StoredTensor,
    @SerialName("image_embeddings") val imageEmbeddings: StoredTensor,
    val sentences: List<String>,
    @SerialName("token_ids") val tokenIds: StoredTensor,
    @SerialName("sentence_embeddings") val sentenceEmbeddings: StoredTensor,
    @SerialName("pixel_tolerance") val pixelTolerance: Double,
)

/** What a part of the bundle may be used under. */
@Serializable
data class LicenceNote(val part: String, val licence: String, val copyright: String?, val source: String)

/**
 * Everything that an application must know about a bundle (schemas 1 and 2).
 *
 * @property variants what runs in the towers' places on phones with certain chips, the preferred ones first; schema 1 has
 * none.
 */
@OptIn(ExperimentalSerializationApi::class)
@Serializable
data class Manifest(
    @SerialName("schema_version") val schemaVersion: Int,
    @SerialName("created_at") val createdAt: String,
    val generator: String,
    val model: ModelIdentity,
    val image: BundledTower,
    val text: BundledTower,
    val preprocess: PreprocessSpec,
    val tokenizer: TokenizerSpec,
    val templates: PromptTemplates,
    val labels: LabelSet?,
    @SerialName("end_to_end") val endToEnd: EndToEnd,
    val licences: List<LicenceNote>,
    val files: List<FileEntry>,
    @EncodeDefault(EncodeDefault.Mode.NEVER) val variants: List<NpuVariant> = emptyList(),
) {
    /** A tower as it runs on every phone. */
    fun tower(tower: Tower): BundledTower = if (tower == Tower.IMAGE) image else text

    /** What runs in a tower's place on phones with certain chips, the preferred ones first. */
    fun variantsOf(tower: Tower): List<NpuVariant> = variants.filter { it.tower == tower }

    /** Everything that can run: both towers, then their variants. */
    val models: List<BundledModel> get() = listOf(image, text) + variants

    /** Whether the weights are random ones, whose answers mean nothing: the licence note of the weights says so. */
    val untrained: Boolean
        get() = licences.any { it.part == "model weights" && it.source.startsWith("untrained") }

    /** Every stored tensor, in the order of the manifest. */
    val tensors: List<StoredTensor>
        get() = listOfNotNull(
            *models.flatMap { listOf(it.golden.inputs, it.golden.reference, it.golden.outputs) }.distinct().toTypedArray(),
            tokenizer.merges,
            tokenizer.keptIds,
            labels?.embeddings,
            *endToEnd.images.map { it.pixels }.toTypedArray(),
            endToEnd.preprocessed,
            endToEnd.imageEmbeddings,
            endToEnd.tokenIds,
            endToEnd.sentenceEmbeddings,
        )
}
