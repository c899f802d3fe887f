package org.pocketclip.core.ranking

import kotlin.math.exp
import kotlin.math.sqrt
import org.pocketclip.core.NonFiniteException

/**
 * One of several candidates.
 *
 * @property place in the list of candidates.
 * @property cosine with what they were compared with.
 * @property probability softmax of the scaled cosines over all candidates.
 */
data class Ranked(val place: Int, val cosine: Double, val probability: Double)

/** Embeddings, all of D values, and what is nearest to one. */
object Ranking {
    /**
     * An embedding divided by its Euclidean length.
     *
     * @throws NonFiniteException a value is NaN or infinite, or all are 0.
     */
    fun normalized(embedding: FloatArray): FloatArray {
        val length = length(embedding)
        if (!length.isFinite() || length == 0f) {
            throw NonFiniteException(
                "the model gave an embedding without a direction (NaN, infinity or zero); run the bundle's self-test",
            )
        }
        return FloatArray(embedding.size) { embedding[it] / length }
    }

    /** The cosine of two embeddings of length 1, in double precision. */
    fun cosine(first: FloatArray, second: FloatArray): Double {
        require(first.size == second.size) { "embeddings of ${first.size} and ${second.size} values" }
        var sum = 0.0
        for (place in first.indices) sum += first[place].toDouble() * second[place]
        return sum
    }

    /**
     * Candidates ordered by likelihood, the likeliest first; equal ones stay in their order.
     *
     * @param query of length 1.
     * @param candidates each of length 1.
     * @param logitScale factor on the cosines before the softmax.
     * @param most so many are returned at most; probabilities are over all.
     */
    fun rank(query: FloatArray, candidates: List<FloatArray>, logitScale: Double, most: Int = Int.MAX_VALUE): List<Ranked> {
        if (candidates.isEmpty()) return emptyList()
        val cosines = candidates.map { cosine(query, it) }
        val highest = cosines.max()
        val weights = cosines.map { exp(logitScale * (it - highest)) }
        val sum = weights.sum()
        return cosines.indices.sortedByDescending { weights[it] }.take(most)
            .map { Ranked(it, cosines[it], weights[it] / sum) }
    }

    private fun length(embedding: FloatArray): Float {
        var sum = 0.0
        for (value in embedding) sum += value.toDouble() * value
        return sqrt(sum).toFloat()
    }
}
