package org.pocketclip.core.gallery

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.ShortBuffer

/**
 * Rows that follow each other, with the photo of each. [photos] never changes: what becomes of a photo makes another block
 * over the same rows, so that whoever reads this one goes on with what was there.
 *
 * @property photos null where a row is of no photo, or not written yet.
 */
internal class RowBlock private constructor(
    private val values: ShortBuffer,
    private val width: Int,
    val photos: Array<GalleryPhoto?>,
    private val writable: Boolean,
) {
    /** Whether it is memory of its own, with room for all rows of a block. */
    val isWritable: Boolean get() = writable

    /** Copies [count] rows from [first] on, counted in this block. Any number of threads may do so at a time. */
    fun read(first: Int, count: Int, target: ShortArray) {
        val rows = values.duplicate()
        seek(rows, first * width)
        rows.get(target, 0, count * width)
    }

    /** The same rows, of which one is of another photo or of none. */
    fun with(row: Int, photo: GalleryPhoto?): RowBlock =
        RowBlock(values, width, photos.copyOf().also { it[row] = photo }, writable)

    /** Writes a row that nobody reads yet: no block says that it is a photo's. */
    fun write(row: Int, embedding: ShortArray) {
        val target = values.duplicate()
        seek(target, row * width)
        target.put(embedding)
    }

    /** The same rows in memory of its own, with room for [rowCount]. */
    fun copied(rowCount: Int): RowBlock {
        val copy = empty(rowCount, width, photos.copyOf(rowCount))
        val own = copy.values.duplicate()
        val rows = values.duplicate()
        seek(rows, 0)
        own.put(rows)
        return copy
    }

    /** The same photos over rows that lie elsewhere. */
    fun over(bytes: ByteBuffer): RowBlock = of(bytes, width, photos)

    companion object {
        /** Mapped rows, whose photos are known. */
        fun of(bytes: ByteBuffer, width: Int, photos: Array<GalleryPhoto?>): RowBlock =
            RowBlock(bytes.order(ByteOrder.LITTLE_ENDIAN).asShortBuffer(), width, photos, false)

        fun empty(rowCount: Int, width: Int, photos: Array<GalleryPhoto?> = arrayOfNulls(rowCount)): RowBlock {
            val bytes = ByteBuffer.allocateDirect(rowCount * width * Short.SIZE_BYTES)
            return RowBlock(bytes.order(ByteOrder.LITTLE_ENDIAN).asShortBuffer(), width, photos, true)
        }
    }
}

/**
 * All rows of an index at a moment, for whoever reads: nothing of it changes.
 *
 * @property blockRows rows of each block, of which the last one may have fewer.
 * @property count photos.
 */
internal class RowSnapshot(val width: Int, private val blockRows: Int, val blocks: List<RowBlock>, val count: Int) {
    /** Copies a row. */
    fun read(row: Int, target: ShortArray) = blocks[row / blockRows].read(row % blockRows, 1, target)

    /** All photos, by row. */
    fun photos(): List<GalleryPhoto> = blocks.flatMap { it.photos.filterNotNull() }
}

/** By the method that old versions of Android have, too: there only [Buffer] itself has it. */
private fun seek(buffer: Buffer, place: Int) {
    buffer.position(place)
}

/** As [seek], with an end. */
internal fun bound(buffer: Buffer, start: Int, end: Int) {
    buffer.limit(end)
    buffer.position(start)
}

/** Half floats as they are in a file. */
internal fun littleEndian(values: ShortArray): ByteBuffer =
    ByteBuffer.allocate(values.size * Short.SIZE_BYTES).order(ByteOrder.LITTLE_ENDIAN).apply { asShortBuffer().put(values) }
