package org.pocketclip.core.gallery

import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.pocketclip.core.GalleryDamagedException

/**
 * The matrix and whose rows are which. Whoever reads takes [seen]; what is added or forgotten makes another one.
 *
 * Rows of the file are mapped into memory: the system may give their memory back at any time. Those that are added are in
 * memory of their own until a block of them is full and in the file.
 */
internal class LiveRows(private val width: Int) {
    private val rowBytes = width * Short.SIZE_BYTES
    private val blockRows = (BLOCK_BYTES / rowBytes).coerceIn(1, MOST_BLOCK_ROWS)
    private val photos = HashMap<String, GalleryPhoto>()

    /** Rows of the matrix, those of no photo too. */
    @Volatile
    var rowCount = 0
        private set

    @Volatile
    var seen = RowSnapshot(width, blockRows, emptyList(), 0)
        private set

    /** The photo and, of the same moment, all rows; null where there is none. */
    @Synchronized
    fun find(photo: String): Pair<GalleryPhoto, RowSnapshot>? = photos[photo]?.let { it to seen }

    /** Appends a row, which becomes the photo's; one that it had before is of no photo then. */
    @Synchronized
    fun add(photo: GalleryPhoto, embedding: ShortArray) {
        check(photo.row == rowCount) { "row ${photo.row} is added, the next one is $rowCount" }
        val blocks = without(photos[photo.photo])
        val (block, row) = photo.row / blockRows to photo.row % blockRows
        when {
            block == blocks.size -> blocks += RowBlock.empty(blockRows, width)
            !blocks[block].isWritable -> blocks[block] = blocks[block].copied(blockRows)
        }
        blocks[block].write(row, embedding)
        blocks[block] = blocks[block].with(row, photo)
        photos[photo.photo] = photo
        rowCount++
        seen = RowSnapshot(width, blockRows, blocks, photos.size)
    }

    /** Makes a photo's row one of no photo; false where there is no such photo. */
    @Synchronized
    fun forget(photo: String): Boolean {
        val blocks = without(photos.remove(photo) ?: return false)
        seen = RowSnapshot(width, blockRows, blocks, photos.size)
        return true
    }

    private fun without(photo: GalleryPhoto?): MutableList<RowBlock> {
        val blocks = seen.blocks.toMutableList()
        if (photo == null) return blocks
        val block = photo.row / blockRows
        blocks[block] = blocks[block].with(photo.row % blockRows, null)
        return blocks
    }

    /** Copies the bytes of rows, e.g. into the file. [take] is given one block's at a time. */
    fun bytes(first: Int, take: (ByteBuffer) -> Unit) {
        val blocks = seen.blocks
        var row = first
        while (row < rowCount) {
            val inBlock = row % blockRows
            val count = minOf(blockRows - inBlock, rowCount - row)
            val rows = ShortArray(count * width).also { blocks[row / blockRows].read(inBlock, count, it) }
            take(littleEndian(rows))
            row += count
        }
    }

    /** Once the file has all rows: takes those of full blocks from there. */
    @Synchronized
    fun mapFull(file: File) {
        val blocks = seen.blocks.toMutableList()
        val full = (0 until rowCount / blockRows).filter { blocks[it].isWritable }
        if (full.isEmpty()) return
        RandomAccessFile(file, "r").use { opened ->
            for (block in full) {
                val bytes = blockRows * rowBytes
                val mapped = opened.channel.map(FileChannel.MapMode.READ_ONLY, block.toLong() * bytes, bytes.toLong())
                blocks[block] = blocks[block].over(mapped)
            }
        }
        seen = RowSnapshot(width, blockRows, blocks, seen.count)
    }

    /**
     * Maps a file.
     *
     * @param count rows of it.
     * @param known whose rows are which; rows of the others are of no photo.
     * @throws GalleryDamagedException two photos have the same row.
     */
    @Synchronized
    fun map(file: File, count: Int, known: Map<String, GalleryPhoto>) {
        val owners = List((count + blockRows - 1) / blockRows) {
            arrayOfNulls<GalleryPhoto>(minOf(blockRows, count - it * blockRows))
        }
        for (photo in known.values) {
            val block = owners[photo.row / blockRows]
            if (block[photo.row % blockRows] != null) {
                throw GalleryDamagedException("${file.parent} names row ${photo.row} for two photos; $AGAIN")
            }
            block[photo.row % blockRows] = photo
        }
        photos.clear()
        photos.putAll(known)
        rowCount = count
        seen = RowSnapshot(width, blockRows, if (count == 0) emptyList() else mapped(file, count, owners), photos.size)
    }

    private fun mapped(file: File, count: Int, owners: List<Array<GalleryPhoto?>>): List<RowBlock> =
        RandomAccessFile(file, "r").use { opened ->
            // As much at a time as a buffer can have, in whole blocks.
            val most = Int.MAX_VALUE / (blockRows * rowBytes)
            owners.chunked(most).flatMapIndexed { part, blocks ->
                val first = part.toLong() * most * blockRows
                val bytes = minOf(blocks.size.toLong() * blockRows, count - first) * rowBytes
                val all = opened.channel.map(FileChannel.MapMode.READ_ONLY, first * rowBytes, bytes)
                blocks.mapIndexed { place, photos -> RowBlock.of(slice(all, place, photos.size), width, photos) }
            }
        }

    private fun slice(all: ByteBuffer, block: Int, rows: Int): ByteBuffer {
        val part = all.duplicate()
        val start = block * blockRows * rowBytes
        bound(part, start, start + rows * rowBytes)
        return part.slice()
    }

    private companion object {
        /** A copy of so many rows' photos is made for each that is added. */
        const val MOST_BLOCK_ROWS = 1024
        const val BLOCK_BYTES = 1 shl 20
    }
}
