package org.pocketclip.core.tokenizer

/** Ids of bytes: 256 plain, 256 more at the end of a word; the ids of merges follow. */
internal const val BYTES = 256
internal const val FIRST_MERGE = 2 * BYTES

/**
 * Merges of neighbouring ids.
 *
 * @param merges rows of two ids, flattened; row r makes id 512 + r. Every id fits into 16 bits.
 */
internal class BytePairs(private val merges: IntArray) {
    val size: Int = merges.size / 2

    // Pair and row in one number, sorted: a table of 49,000 boxed pairs would take megabytes.
    private val sorted: LongArray =
        LongArray(size) { row -> pair(merges[2 * row], merges[2 * row + 1]) shl Int.SIZE_BITS or row.toLong() }
            .apply { sort() }

    fun first(row: Int): Int = merges[2 * row]

    fun second(row: Int): Int = merges[2 * row + 1]

    /** Ids of a word, of those of its bytes: the lowest row that fits is merged everywhere, until none fits. */
    fun merge(bytes: IntArray): IntArray {
        val ids = bytes.copyOf()
        var length = ids.size
        while (length > 1) {
            val row = (1 until length).minOf { row(ids[it - 1], ids[it]) }
            if (row == NONE) break
            var read = 0
            var written = 0
            while (read < length) {
                if (read < length - 1 && ids[read] == first(row) && ids[read + 1] == second(row)) {
                    ids[written++] = FIRST_MERGE + row
                    read += 2
                } else {
                    ids[written++] = ids[read++]
                }
            }
            length = written
        }
        return ids.copyOf(length)
    }

    private fun row(first: Int, second: Int): Int {
        val wanted = pair(first, second)
        val found = sorted.binarySearch(wanted shl Int.SIZE_BITS)
        val place = if (found < 0) -found - 1 else found
        val entry = sorted.getOrElse(place) { return NONE }
        return if (entry ushr Int.SIZE_BITS == wanted) entry.toInt() else NONE
    }

    private fun pair(first: Int, second: Int): Long = first.toLong() shl Short.SIZE_BITS or second.toLong()

    private companion object {
        const val NONE = Int.MAX_VALUE
    }
}
