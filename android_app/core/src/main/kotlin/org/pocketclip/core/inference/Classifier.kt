package org.pocketclip.core.inference

import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.ranking.Ranked

/**
 * Labels with their embeddings.
 *
 * @property embeddings one normalised row of D values for each name.
 */
class Labels(val names: List<String>, val embeddings: List<FloatArray>) {
    companion object {
        /** A bundle's own; null where it has none. */
        fun stored(bundle: Bundle): Labels? = TODO("follows")
    }
}

/** A label with its cosine and probability. */
data class RankedLabel(val name: String, val ranked: Ranked)

/**
 * What an image shows, best first, and what it took.
 */
class Classification(val labels: List<RankedLabel>, val image: Embedding)

/** Zero-shot classification with a bundle; text embeddings of labels are kept. Used by one thread at a time. */
class Classifier(private val bundle: Bundle, private val images: ImageEncoder, private val texts: () -> TextEncoder) {
    /**
     * Embeddings of labels, the bundle's stored ones where it has them; others by the text tower, which is asked for only
     * then, and each only once.
     *
     * @throws org.pocketclip.core.InputException a label is empty or stands twice.
     * @throws org.pocketclip.core.ExecutionException as [TextEncoder.encodeLabel].
     */
    fun labels(names: List<String>, templates: Int = Int.MAX_VALUE): Labels = TODO("follows")

    /** Ranks labels for an upright image; throws as [ImageEncoder.encode]. */
    fun classify(image: org.pocketclip.core.image.RgbImage, labels: Labels, most: Int = Int.MAX_VALUE): Classification =
        TODO("follows")
}
