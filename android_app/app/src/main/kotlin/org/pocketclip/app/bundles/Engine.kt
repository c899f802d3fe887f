package org.pocketclip.app.bundles

import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.RankedLabel

/**
 * What an image shows, best first.
 *
 * @property preparationNs resizing and normalising of the image.
 * @property imageNs the image tower alone.
 * @property textNs embeddings of labels that were not known yet; null where all of them were.
 */
data class Classified(val labels: List<RankedLabel>, val preparationNs: Long, val imageNs: Long, val textNs: Long?)

/**
 * What a screen says of a bundle.
 *
 * @property sha256 its identity.
 * @property weightsSha256 of the trained model.
 * @property imageSha256 of what runs as the image tower, to which stored embeddings belong.
 * @property width values of an embedding.
 * @property labels that it brings with embeddings; empty where it has none.
 */
data class BundleSummary(
    val sha256: String,
    val model: String,
    val weightsSha256: String,
    val imageSha256: String,
    val width: Int,
    val image: TowerSummary,
    val text: TowerSummary,
    val labels: List<String>,
    val logitScale: Double,
)

/**
 * A tower's runtime and precision, and the size of its model, as it runs on every phone.
 *
 * @property npu what runs in its place on this phone's NPU; null where nothing does.
 * @property whyNotNpu why nothing does although the bundle has variants for NPUs; null where it has none.
 */
data class TowerSummary(
    val runtime: String,
    val precision: String,
    val sizeBytes: Long,
    val npu: NpuSummary? = null,
    val whyNotNpu: String? = null,
)

/** A variant of a tower that runs on the NPU of the chip [soc]. */
data class NpuSummary(val soc: String, val runtime: String, val precision: String, val sizeBytes: Long)

/** A bundle with both towers loaded. Suspending functions may be called from anywhere: one runs at a time. */
interface Engine : AutoCloseable {
    val summary: BundleSummary

    /**
     * Ranks labels for an upright image.
     *
     * @throws org.pocketclip.core.InputException labels are empty or repeated.
     * @throws org.pocketclip.core.ExecutionException a tower failed.
     */
    suspend fun classify(image: RgbImage, labels: List<String>): Classified

    /** The normalised embedding of an upright image; throws as [classify]. */
    suspend fun embed(image: RgbImage): FloatArray

    /** The normalised embedding of a sentence; throws as [classify]. */
    suspend fun embed(sentence: String): FloatArray
}
