package org.pocketclip.core.gallery

import java.io.File
import java.io.IOException
import java.util.concurrent.Callable
import java.util.concurrent.ForkJoinPool
import java.util.concurrent.ForkJoinTask
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import org.pocketclip.core.GalleryDamagedException

/** Work that is shared by the caller's thread and some of the process's common pool. */
internal object Workers {
    /** Beyond four, the cores of a phone are slow ones, and memory is the limit. */
    val THREADS = Runtime.getRuntime().availableProcessors().coerceIn(1, 4)

    /**
     * Does [action] for each of [count] places and returns what each thread has got together. The first exception ends it.
     *
     * @param state is made once for each thread.
     * @param progress is told in the caller's thread how many places are done; it may throw to end all.
     */
    fun <S> share(count: Int, threads: Int, state: () -> S, progress: (Int) -> Unit = {}, action: (S, Int) -> Unit): List<S> {
        if (count == 0) return emptyList()
        val next = AtomicInteger()
        val done = AtomicInteger()
        val stopped = AtomicBoolean()
        fun work(tell: (Int) -> Unit): S {
            val own = state()
            while (!stopped.get()) {
                val place = next.getAndIncrement()
                if (place >= count) break
                action(own, place)
                tell(done.incrementAndGet())
            }
            return own
        }
        val helpers = List(minOf(threads, count) - 1) { ForkJoinPool.commonPool().submit(Callable { work {} }) }
        try {
            return listOf(work(progress)) + helpers.map { it.join() }
        } catch (error: Throwable) {
            // Nobody works on when this returns.
            stopped.set(true)
            helpers.forEach(ForkJoinTask<S>::quietlyJoin)
            throw error
        }
    }
}

/**
 * Reads rows in pieces that fit the first cache, into one piece of memory. Used by one thread.
 *
 * Copying costs little and lets the arithmetic run over an array, which every machine does best.
 */
internal class RowReader(private val width: Int) {
    private val pieceRows = (PIECE_VALUES / width).coerceAtLeast(1)
    private val piece = ShortArray(pieceRows * width)

    /** Gives each row that is a photo's: its values begin at a place of an array, which is used again. */
    inline fun each(block: RowBlock, take: (photo: GalleryPhoto, values: ShortArray, start: Int) -> Unit) {
        val photos = block.photos
        var first = 0
        while (first < photos.size) {
            if (photos[first] == null) {
                first++
                continue
            }
            val count = minOf(pieceRows, photos.size - first)
            block.read(first, count, piece)
            for (row in 0 until count) {
                val photo = photos[first + row] ?: continue
                take(photo, piece, row * width)
            }
            first += count
        }
    }

    private companion object {
        const val PIECE_VALUES = 8192
    }
}

/** Reads a file of an index; what the system refuses is said in the project's words. */
internal inline fun <T> onReading(file: File, action: () -> T): T = try {
    action()
} catch (error: IOException) {
    throw GalleryDamagedException("cannot read $file (${error.message}); $AGAIN", error)
}
