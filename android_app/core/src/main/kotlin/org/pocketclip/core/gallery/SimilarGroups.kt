package org.pocketclip.core.gallery

import kotlin.math.sqrt

/**
 * Photos that resemble each other.
 *
 * @property photos by what they are found by.
 * @property cosine the least that joins two of them.
 */
data class SimilarGroup(val photos: List<GalleryPhoto>, val cosine: Double)

/**
 * Looks at every pair of photos, tile by tile, with memory for some tiles and a number for each photo.
 *
 * Most pairs are far from alike, which few values of both tell: with `x = (a, b)` split into those values and the others,
 * `x y <= a a' + |b| |b'|`. What this bound leaves over is multiplied in full.
 */
internal class SimilarGroups(private val rows: RowSnapshot, leastCosine: Double) {
    private val photos = rows.photos()
    private val least = leastCosine.toFloat()
    private val tileRows = (TILE_VALUES / rows.width).coerceIn(1, MOST_TILE_ROWS)
    private val groups = JoinedGroups(photos.size)

    init {
        require(leastCosine in 0.0..1.0) { "the least cosine must be from 0 to 1, got $leastCosine" }
    }

    fun find(threads: Int, progress: (Double) -> Unit): List<SimilarGroup> {
        if (photos.size < 2) return emptyList()
        val tiles = (photos.size + tileRows - 1) / tileRows
        val chosen = chosenValues()
        val rest = restLengths(chosen, tiles, threads)
        val pairs = TilePairs(tiles)
        Workers.share(pairs.count, threads, { Worker(chosen, rest) }, { progress(it.toDouble() / pairs.count) }) { worker, pair ->
            worker.compare(pairs.first(pair), pairs.second(pair))
        }
        return groups.groups().map { (members, cosine) ->
            SimilarGroup(members.map { photos[it] }.sortedWith(compareBy(CodePointOrder) { it.photo }), cosine)
        }.sortedWith(MOST_ALIKE_FIRST)
    }

    /** The values in which photos differ most, as a sample tells. */
    private fun chosenValues(): IntArray {
        val row = ShortArray(rows.width)
        val (sums, squares) = DoubleArray(rows.width) to DoubleArray(rows.width)
        val sample = (photos.indices step (photos.size / SAMPLE).coerceAtLeast(1)).toList()
        for (place in sample) {
            rows.read(photos[place].row, row)
            for (value in row.indices) {
                val number = HalfFloats.toFloat(row[value]).toDouble()
                sums[value] += number
                squares[value] += number * number
            }
        }
        val spread = DoubleArray(rows.width) { squares[it] - sums[it] * sums[it] / sample.size }
        return row.indices.sortedByDescending { spread[it] }.take(CHOSEN_VALUES).sorted().toIntArray()
    }

    /** How long each photo's vector of the values that were not chosen is. */
    private fun restLengths(chosen: IntArray, tiles: Int, threads: Int): FloatArray {
        val lengths = FloatArray(photos.size)
        val left = (0 until rows.width).filter { it !in chosen }.toIntArray()
        Workers.share(tiles, threads, { ShortArray(rows.width) }) { row, tile ->
            for (place in placesOf(tile)) {
                rows.read(photos[place].row, row)
                var squares = 0f
                for (value in left) squares += HalfFloats.toFloat(row[value]).let { it * it }
                lengths[place] = sqrt(squares)
            }
        }
        return lengths
    }

    private fun placesOf(tile: Int): IntRange = tile * tileRows until minOf((tile + 1) * tileRows, photos.size)

    /** Rows of a tile: the chosen values of all side by side, and all values where they are asked for. Used by one thread. */
    private inner class Tile(private val chosen: IntArray) {
        val columns = Array(chosen.size) { FloatArray(tileRows) }
        var places = IntRange.EMPTY
            private set
        private val row = ShortArray(rows.width)
        private val values = ShortArray(tileRows * rows.width)
        private var hasValues = false

        fun read(tile: Int) {
            if (places == placesOf(tile)) return
            places = placesOf(tile)
            hasValues = false
            for (place in places) {
                rows.read(photos[place].row, row)
                for (column in chosen.indices) columns[column][place - places.first] = HalfFloats.toFloat(row[chosen[column]])
            }
        }

        /** All values of all rows, one row after the other. */
        fun values(): ShortArray {
            if (!hasValues) {
                for (place in places) {
                    rows.read(photos[place].row, row)
                    row.copyInto(values, (place - places.first) * rows.width)
                }
                hasValues = true
            }
            return values
        }
    }

    private inner class Worker(chosen: IntArray, private val rest: FloatArray) {
        private val one = Tile(chosen)
        private val other = Tile(chosen)
        private val products = FloatArray(tileRows)
        private val whole = FloatArray(rows.width)

        fun compare(first: Int, second: Int) {
            one.read(first)
            other.read(second)
            for (place in one.places) {
                multiply(place - one.places.first)
                var scaled: FloatArray? = null
                for (against in (if (first == second) place + 1 else other.places.first)..other.places.last) {
                    val product = products[against - other.places.first]
                    if (product + rest[place] * rest[against] < least - SLACK) continue
                    val vector = scaled ?: vector(place - one.places.first).also { scaled = it }
                    val cosine = HalfFloats.dot(other.values(), (against - other.places.first) * rows.width, vector)
                    if (cosine >= least) groups.join(place, against, cosine)
                }
            }
        }

        /** The products of a row's chosen values and those of all rows of the other tile. */
        private fun multiply(row: Int) {
            products.fill(0f)
            val whole = one.columns.size and 3.inv()
            for (column in 0 until whole step 4) {
                addFourProducts(products, FloatArray(4) { one.columns[column + it][row] }, other.columns, column)
            }
            for (column in whole until one.columns.size) addProducts(products, one.columns[column][row], other.columns[column])
        }

        private fun vector(row: Int): FloatArray {
            val values = one.values()
            for (value in whole.indices) whole[value] = HalfFloats.toFloat(values[row * rows.width + value])
            return HalfFloats.scaled(whole)
        }
    }

    private companion object {
        const val CHOSEN_VALUES = 64
        const val TILE_VALUES = 1 shl 17
        const val MOST_TILE_ROWS = 256
        const val SAMPLE = 2048

        /** Single precision may take as much off a bound. */
        const val SLACK = 1e-4f

        val MOST_ALIKE_FIRST: Comparator<SimilarGroup> = compareByDescending<SimilarGroup> { it.cosine }
            .thenComparator { first, second -> compareNames(first.photos, second.photos) }

        fun compareNames(first: List<GalleryPhoto>, second: List<GalleryPhoto>): Int =
            first.zip(second).map { (one, other) -> CodePointOrder.compare(one.photo, other.photo) }.firstOrNull { it != 0 }
                ?: (first.size - second.size)
    }
}
