package org.pocketclip.core.tokenizer

import org.pocketclip.core.bundle.TokenizerSpec
import org.pocketclip.core.runtime.Tensor

/**
 * The CLIP byte-pair tokenizer of a bundle. Safe for several threads.
 *
 * @param merges rows of two ids, flattened.
 * @param keptIds CLIP's ids that a pruned vocabulary keeps, ascending; null keeps all.
 */
class BundleTokenizer(private val spec: TokenizerSpec, merges: IntArray, keptIds: IntArray?) {
    /** Ids of the text alone, neither framed nor cut. */
    fun encode(text: String): List<Int> = TODO("follows")

    /** A sentence as the text tower takes it: start, ids, end, filled up, `context_length` in all. */
    fun ids(sentence: String): IntArray = TODO("follows")

    /** [ids] as the tower's input (1, context_length). */
    fun input(sentence: String): Tensor = TODO("follows")
}
