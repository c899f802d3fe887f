package org.pocketclip.core.gallery

import java.util.PriorityQueue
import kotlin.math.abs
import kotlin.math.round

/** A photo that was found, with its cosine to what was searched for. */
data class GalleryHit(val photo: GalleryPhoto, val cosine: Double)

/**
 * One pass over all rows of a moment.
 *
 * @param query of length 1.
 * @param most photos that are returned at most.
 * @param except a photo that is left out.
 */
internal class Nearest(
    private val rows: RowSnapshot,
    query: FloatArray,
    private val most: Int,
    private val except: GalleryPhoto? = null,
) {
    private val scaled: FloatArray

    init {
        require(query.size == rows.width) { "a query of ${query.size} values, the index has ${rows.width}" }
        require(query.all { abs(it) < LONGEST }) { "a query must have the length 1" }
        scaled = HalfFloats.scaled(query)
    }

    fun search(threads: Int): List<GalleryHit> {
        if (most < 1 || rows.count == 0) return emptyList()
        val found = Workers.share(rows.blocks.size, threads, { Worker() }) { worker, block -> worker.look(rows.blocks[block]) }
        return found.flatMap { it.best.hits }.sortedWith(BestHits.BEST_FIRST).take(most).map { GalleryHit(it.photo, it.cosine) }
    }

    private inner class Worker {
        val best = BestHits(most)
        private val reader = RowReader(rows.width)

        fun look(block: RowBlock) = reader.each(block) { photo, values, start ->
            if (photo !== except) best.offer(photo, HalfFloats.dot(values, start, scaled).toDouble())
        }
    }

    companion object {
        /** Beyond any value of a vector of length 1, and far below what a row's arithmetic takes. */
        private const val LONGEST = 2f

        fun similar(photo: GalleryPhoto, rows: RowSnapshot, most: Int): Nearest {
            val row = ShortArray(rows.width).also { rows.read(photo.row, it) }
            return Nearest(rows, FloatArray(rows.width) { HalfFloats.toFloat(row[it]) }, most, photo)
        }
    }
}

/** The best of what is offered, [most] at most: a heap with the worst of them on top. */
internal class BestHits(private val most: Int) {
    /** [order] is the cosine without the digits in which equal rows may differ. */
    class Hit(val photo: GalleryPhoto, val cosine: Double, val order: Int)

    private val heap = PriorityQueue(BEST_FIRST.reversed())

    val hits: Collection<Hit> get() = heap

    fun offer(photo: GalleryPhoto, cosine: Double) {
        val order = round(cosine * DIGITS).toInt()
        val worst = if (heap.size < most) null else heap.peek()
        if (worst != null && order < worst.order) return
        val hit = Hit(photo, cosine, order)
        if (worst != null) {
            if (BEST_FIRST.compare(hit, worst) > 0) return
            heap.poll()
        }
        heap.add(hit)
    }

    companion object {
        /** Beyond them a cosine depends on the order of additions. */
        private const val DIGITS = 1e6

        /** The nearest first; equal ones by what they are found by. */
        val BEST_FIRST: Comparator<Hit> =
            compareByDescending<Hit> { it.order }.thenBy(CodePointOrder) { it.photo.photo }
    }
}
