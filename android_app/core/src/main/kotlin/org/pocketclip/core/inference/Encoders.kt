package org.pocketclip.core.inference

import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.ranking.Prompts
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.tokenizer.BundleTokenizer

/**
 * A normalised embedding and what it took.
 *
 * @property values of length 1 (D).
 * @property preparationNs resizing or tokenising.
 * @property inferenceNs the tower alone.
 */
class Embedding(val values: FloatArray, val preparationNs: Long, val inferenceNs: Long)

/** A bundle's image tower with what feeds it. Used by one thread at a time. */
class ImageEncoder private constructor(private val input: ImageInput, val running: RunningTower) : AutoCloseable {
    /** What the runtime says has executed the tower. */
    val acceleratorObserved: String? get() = running.session.acceleratorObserved

    /**
     * Embeds an upright image.
     *
     * @throws org.pocketclip.core.InferenceException the runtime failed.
     * @throws org.pocketclip.core.NonFiniteException the tower gave NaN or infinity.
     */
    fun encode(image: RgbImage): Embedding = embed(running.session) { input.of(image) }

    override fun close() = running.session.close()

    companion object {
        /**
         * Loads the tower with that of the [runtimes] which the bundle names, or its variant for the chip [soc].
         *
         * @throws org.pocketclip.core.ExecutionException as [RunningTower.open].
         */
        fun open(
            bundle: Bundle,
            runtimes: List<InferenceRuntime>,
            options: LoadOptions = LoadOptions(),
            soc: String? = null,
        ): ImageEncoder {
            val running = RunningTower.open(bundle, Tower.IMAGE, runtimes, options, soc)
            return ImageEncoder(ImageInput(bundle.manifest.preprocess, running.model.input), running)
        }
    }
}

/** A bundle's text tower with what feeds it. Used by one thread at a time. */
class TextEncoder private constructor(
    private val tokenizer: BundleTokenizer,
    private val prompts: Prompts,
    val running: RunningTower,
) : AutoCloseable {
    /** What the runtime says has executed the tower. */
    val acceleratorObserved: String? get() = running.session.acceleratorObserved

    /** Embeds a sentence as it is; throws as [ImageEncoder.encode]. */
    fun encode(sentence: String): Embedding = embed(running.session) { tokenizer.input(sentence) }

    /**
     * Embeds a label: the normalised mean over its prompts; throws as [encode].
     *
     * @param templates so many of the bundle's are used at most; 1 is fast.
     */
    fun encodeLabel(label: String, templates: Int = Int.MAX_VALUE): FloatArray =
        Prompts.mean(prompts.of(label, templates).map { encode(it).values })

    override fun close() = running.session.close()

    companion object {
        /**
         * As [ImageEncoder.open].
         *
         * @throws org.pocketclip.core.BundleException the tokenizer's data does not fit together.
         */
        fun open(
            bundle: Bundle,
            runtimes: List<InferenceRuntime>,
            options: LoadOptions = LoadOptions(),
            soc: String? = null,
        ): TextEncoder {
            val tokenizer = tokenizer(bundle)
            val running = RunningTower.open(bundle, Tower.TEXT, runtimes, options, soc)
            return TextEncoder(tokenizer, Prompts(bundle.manifest.templates), running)
        }

        /** A bundle's tokenizer alone; throws as [open]. */
        fun tokenizer(bundle: Bundle): BundleTokenizer {
            val spec = bundle.manifest.tokenizer
            return BundleTokenizer(spec, bundle.integers(spec.merges), spec.keptIds?.let(bundle::integers))
        }
    }
}

private inline fun embed(session: Session, prepare: () -> Tensor): Embedding {
    val started = System.nanoTime()
    val input = prepare()
    val prepared = System.nanoTime()
    val output = session.run(input)
    val finished = System.nanoTime()
    return Embedding(Ranking.normalized(output), prepared - started, finished - prepared)
}
