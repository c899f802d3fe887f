package org.pocketclip.core.inference

import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions

/**
 * A normalised embedding and what it took.
 *
 * @property values of length 1 (D).
 * @property preparationNs resizing or tokenising.
 * @property inferenceNs the tower alone.
 */
class Embedding(val values: FloatArray, val preparationNs: Long, val inferenceNs: Long)

/** A bundle's image tower with what feeds it. Used by one thread at a time. */
class ImageEncoder private constructor() : AutoCloseable {
    /** What the runtime says has executed the tower. */
    val acceleratorObserved: String? get() = TODO("follows")

    /**
     * Embeds an upright image.
     *
     * @throws org.pocketclip.core.InferenceException the runtime failed.
     * @throws org.pocketclip.core.NonFiniteException the tower gave NaN or infinity.
     */
    fun encode(image: RgbImage): Embedding = TODO("follows")

    override fun close(): Unit = TODO("follows")

    companion object {
        /**
         * Loads the tower with that of the [runtimes] which the bundle names.
         *
         * @throws org.pocketclip.core.ExecutionException as [InferenceRuntime.load], or none of them is the bundle's.
         */
        fun open(bundle: Bundle, runtimes: List<InferenceRuntime>, options: LoadOptions = LoadOptions()): ImageEncoder =
            TODO("follows")
    }
}

/** A bundle's text tower with what feeds it. Used by one thread at a time. */
class TextEncoder private constructor() : AutoCloseable {
    /** What the runtime says has executed the tower. */
    val acceleratorObserved: String? get() = TODO("follows")

    /** Embeds a sentence as it is; throws as [ImageEncoder.encode]. */
    fun encode(sentence: String): Embedding = TODO("follows")

    /**
     * Embeds a label: the normalised mean over its prompts; throws as [encode].
     *
     * @param templates so many of the bundle's are used at most; 1 is fast.
     */
    fun encodeLabel(label: String, templates: Int = Int.MAX_VALUE): FloatArray = TODO("follows")

    override fun close(): Unit = TODO("follows")

    companion object {
        /** As [ImageEncoder.open]. */
        fun open(bundle: Bundle, runtimes: List<InferenceRuntime>, options: LoadOptions = LoadOptions()): TextEncoder =
            TODO("follows")
    }
}
