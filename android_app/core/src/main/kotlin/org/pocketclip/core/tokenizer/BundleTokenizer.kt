package org.pocketclip.core.tokenizer

import java.util.regex.Pattern
import java.util.regex.PatternSyntaxException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.TokenizerSpec
import org.pocketclip.core.runtime.Tensor

/**
 * The CLIP byte-pair tokenizer of a bundle. Safe for several threads.
 *
 * @param merges rows of two ids, flattened.
 * @param keptIds CLIP's ids that a pruned vocabulary keeps, ascending; null keeps all.
 * @throws BundleMalformedException the data does not fit together.
 */
class BundleTokenizer(private val spec: TokenizerSpec, merges: IntArray, keptIds: IntArray?) {
    /** The tokenizer of a bundle that was opened; throws as `Bundle.tensor` too. */
    constructor(bundle: Bundle) : this(
        bundle.manifest.tokenizer,
        bundle.integers(bundle.manifest.tokenizer.merges),
        bundle.manifest.tokenizer.keptIds?.let(bundle::integers),
    )

    private val pairs = BytePairs(merges)
    private val specials = spec.specialTexts.associate { it.text to it.id }
    private val byteIds = IntArray(BYTES).also { ids -> spec.byteOrder.forEachIndexed { id, byte -> ids[byte] = id } }
    private val pattern = compile(spec)

    /** New ids by CLIP's ones, [DROPPED] for those that are not kept. */
    private val kept: IntArray? = keptIds?.let { ids ->
        if ((1 until ids.size).any { ids[it - 1] >= ids[it] }) {
            throw BundleMalformedException("kept_ids are not in ascending order, each once; make the bundle again")
        }
        IntArray(FIRST_MERGE + pairs.size + CLIPS_OWN) { DROPPED }.also { places ->
            ids.forEachIndexed { place, id -> places[checked(id, places.size)] = place }
            if ((0 until FIRST_MERGE).any { places[it] == DROPPED }) {
                throw BundleMalformedException(
                    "the vocabulary lacks ids of bytes: not every text could be written; make the bundle again",
                )
            }
            specials.values.filter { places[checked(it, places.size)] == DROPPED }.forEach {
                throw BundleMalformedException("the vocabulary lacks the special id $it; make the bundle again")
            }
        }
    }

    init {
        for (row in 0 until pairs.size) {
            // Parts come before what is made of them: taking apart ends.
            checked(pairs.first(row), FIRST_MERGE + row)
            checked(pairs.second(row), FIRST_MERGE + row)
        }
    }

    /** Ids of the text alone, neither framed nor cut. */
    fun encode(text: String): List<Int> {
        val ids = mutableListOf<Int>()
        val matcher = pattern.matcher(TextCleaning.clean(text, spec.cleaning))
        while (matcher.find()) {
            val piece = matcher.group()
            // A pattern of a bundle always finds something; whoever gives another one gets no empty word.
            if (piece.isEmpty()) continue
            val special = specials[piece]
            if (special != null) append(special, ids) else merged(piece).forEach { append(it, ids) }
        }
        return ids
    }

    /** A sentence as the text tower takes it: start, ids, end, filled up, `context_length` in all. */
    fun ids(sentence: String): IntArray {
        val ids = IntArray(spec.contextLength) { spec.padId }
        val words = encode(sentence).take(spec.contextLength - 2)
        ids[0] = spec.startId
        words.forEachIndexed { place, id -> ids[place + 1] = id }
        ids[words.size + 1] = spec.endId
        return ids
    }

    /** [ids] as the tower's input (1, context_length). */
    fun input(sentence: String): Tensor = Tensor.of(ids(sentence), listOf(1, spec.contextLength))

    private fun merged(piece: String): IntArray {
        val bytes = piece.toByteArray()
        val ids = IntArray(bytes.size) { byteIds[bytes[it].toInt() and (BYTES - 1)] }
        ids[ids.size - 1] += BYTES
        return pairs.merge(ids)
    }

    /** Appends CLIP's id, or what it stands for in a pruned vocabulary. */
    private fun append(id: Int, ids: MutableList<Int>) {
        if (kept == null) {
            ids += id
            return
        }
        val pending = ArrayDeque(listOf(id))
        while (pending.isNotEmpty()) {
            val old = pending.removeLast()
            val new = kept[old]
            if (new != DROPPED) {
                ids += new
            } else {
                pending += pairs.second(old - FIRST_MERGE)
                pending += pairs.first(old - FIRST_MERGE)
            }
        }
    }

    private fun checked(id: Int, limit: Int): Int {
        if (id !in 0 until limit) {
            throw BundleMalformedException(
                "the tokenizer's data names the id $id where ids end at ${limit - 1}; make the bundle again",
            )
        }
        return id
    }

    private companion object {
        const val DROPPED = -1

        // CLIP's own start and end, behind its merges.
        const val CLIPS_OWN = 2

        fun compile(spec: TokenizerSpec): Pattern {
            val alternatives = spec.specialTexts.map { Pattern.quote(it.text) } + spec.pattern
            try {
                // Both flags: Android (ICU) ignores case by Unicode's rules always, Java only with the second one, and
                // Python's rules are Unicode's. `\s` is Unicode's there and ASCII's here; text has no other space than
                // U+0020 once it was cleaned, so that both mean the same. Flags that differ (UNICODE_CHARACTER_CLASS,
                // CANON_EQ) are not used.
                return Pattern.compile(
                    alternatives.joinToString("|"),
                    Pattern.CASE_INSENSITIVE or Pattern.UNICODE_CASE,
                )
            } catch (error: PatternSyntaxException) {
                throw BundleMalformedException("the tokenizer's pattern is none: ${error.description}", error)
            }
        }
    }
}
