package org.pocketclip.core.inference

import org.pocketclip.core.InputException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.ranking.Ranked
import org.pocketclip.core.ranking.Ranking

/**
 * Labels with their embeddings.
 *
 * @property embeddings one normalised row of D values for each name.
 */
class Labels(val names: List<String>, val embeddings: List<FloatArray>) {
    init {
        require(names.size == embeddings.size) { "${names.size} labels have ${embeddings.size} embeddings" }
    }

    companion object {
        /** A bundle's own; null where it has none. */
        fun stored(bundle: Bundle): Labels? =
            bundle.manifest.labels?.let { Labels(it.names, bundle.rows(it.embeddings)) }
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
    private val known = mutableMapOf<Pair<String, Int>, FloatArray>()

    init {
        Labels.stored(bundle)?.let { stored ->
            stored.names.zip(stored.embeddings).forEach { (name, embedding) -> known[name to templateCount] = embedding }
        }
    }

    private val templateCount: Int get() = bundle.manifest.templates.texts.size

    /**
     * Embeddings of labels, the bundle's stored ones where it has them; others by the text tower, which is asked for only
     * then, and each only once.
     *
     * @param templates so many of the bundle's are used at most; 1 is fast.
     * @throws InputException a label is empty or stands twice, or there is none.
     * @throws org.pocketclip.core.ExecutionException as [TextEncoder.encodeLabel].
     */
    fun labels(names: List<String>, templates: Int = Int.MAX_VALUE): Labels {
        if (names.isEmpty()) throw InputException("there are no labels; give at least one")
        if (names.any { it.isBlank() }) throw InputException("a label is empty; give each at least one character")
        val repeated = names.groupingBy { it }.eachCount().entries.firstOrNull { it.value > 1 }
        if (repeated != null) throw InputException("the label '${repeated.key}' stands more than once; give each label once")
        val used = minOf(templates, templateCount)
        // The bundle's own embeddings are better than those of fewer templates, and cost nothing.
        val rows = names.map { name ->
            known[name to templateCount] ?: known.getOrPut(name to used) { texts().encodeLabel(name, used) }
        }
        return Labels(names, rows)
    }

    /** Ranks labels for an upright image; throws as [ImageEncoder.encode]. */
    fun classify(image: RgbImage, labels: Labels, most: Int = Int.MAX_VALUE): Classification {
        val embedding = images.encode(image)
        val ranked = Ranking.rank(embedding.values, labels.embeddings, bundle.manifest.model.logitScale, most)
        return Classification(ranked.map { RankedLabel(labels.names[it.place], it) }, embedding)
    }
}
