package org.pocketclip.core.gallery

/** Joins members into groups and knows the least cosine that joined two of a group. For any number of threads. */
internal class JoinedGroups(size: Int) {
    private val parents = IntArray(size) { it }

    /** Of a group's root: no more than 1, which single precision may go beyond. */
    private val least = FloatArray(size) { 1f }

    @Synchronized
    fun join(first: Int, second: Int, cosine: Float) {
        val (one, other) = root(first) to root(second)
        // The smaller number is the root, whoever comes first.
        val root = minOf(one, other)
        parents[maxOf(one, other)] = root
        least[root] = minOf(least[one], least[other], cosine)
    }

    /** Groups of at least two, each with its least cosine. */
    @Synchronized
    fun groups(): List<Pair<List<Int>, Double>> = parents.indices.groupBy(::root).filterValues { it.size > 1 }
        .map { (root, members) -> members to least[root].toDouble() }

    private fun root(member: Int): Int {
        var place = member
        while (parents[place] != place) {
            parents[place] = parents[parents[place]]
            place = parents[place]
        }
        return place
    }
}

/** The pairs of so many tiles, each with itself too, in the order in which the first stays as long as it can. */
internal class TilePairs(tiles: Int) {
    /** The number of the pair of each tile with itself. */
    private val starts = LongArray(tiles).also { for (tile in 1 until tiles) it[tile] = it[tile - 1] + tiles - tile + 1 }

    val count: Int = Math.toIntExact(tiles.toLong() * (tiles + 1) / 2)

    fun first(pair: Int): Int = starts.binarySearch(pair.toLong()).let { if (it >= 0) it else -it - 2 }

    fun second(pair: Int): Int = first(pair).let { (it + pair - starts[it]).toInt() }
}

/** Adds a multiple of a column. Compilers make such loops work on several values at a time. */
internal fun addProducts(sums: FloatArray, factor: Float, column: FloatArray) {
    for (place in sums.indices) sums[place] += factor * column[place]
}

/** As [addProducts], for four columns from [first] on at once: the sums are read and written once. */
internal fun addFourProducts(sums: FloatArray, factors: FloatArray, columns: Array<FloatArray>, first: Int) {
    val (factor0, factor1, factor2, factor3) = factors
    val (column0, column1) = columns[first] to columns[first + 1]
    val (column2, column3) = columns[first + 2] to columns[first + 3]
    for (place in sums.indices) {
        sums[place] += factor0 * column0[place] + factor1 * column1[place] + (factor2 * column2[place] + factor3 * column3[place])
    }
}
