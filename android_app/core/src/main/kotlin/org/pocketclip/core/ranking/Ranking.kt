package org.pocketclip.core.ranking

/**
 * One of several candidates.
 *
 * @property place in the list of candidates.
 * @property cosine with what they were compared with.
 * @property probability softmax of the scaled cosines over all candidates.
 */
data class Ranked(val place: Int, val cosine: Double, val probability: Double)
