package org.pocketclip.core.gallery

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.InputException

/**
 * Appends to an index; what is added or forgotten is found, or not found, at once, and is on the disk after [flush]. Rows
 * are written before the lines that name them: a process that is ended loses what it had not written yet, and nothing else.
 * Used by one thread at a time.
 */
class GalleryWriter internal constructor(private val index: GalleryIndex, private val lock: GalleryLock) : AutoCloseable {
    private val folder get() = index.folder
    private val content get() = index.content
    private var closed = false

    init {
        onStorage(folder) {
            begin()
            if (content.needsRewriting) rewrite()
        }
    }

    /**
     * Adds a photo, or replaces it.
     *
     * @param version changes when the photo does; 100 characters at most.
     * @param embedding of length 1.
     * @param name what to show, where [photo] says nothing to people.
     * @throws InputException the photo is named as no photo of an index can be, or the index is full.
     */
    fun add(photo: String, version: String, embedding: FloatArray, name: String? = null) {
        check(!closed) { "the index is not open for writing any more" }
        val width = content.identity.width
        require(embedding.size == width) { "an embedding of ${embedding.size} values, the index has $width" }
        val row = ShortArray(width) { HalfFloats.fromFloat(embedding[it]) }
        require(HalfFloats.isUnit(row, 0, width)) { "an embedding must have the length 1" }
        val added = GalleryPhoto(photo, version, content.rows.rowCount, name)
        val line = GalleryLine.of(added)
        line.fault()?.let { throw InputException("the photo cannot be indexed: $it") }
        content.rows.add(added, row)
        content.pending += line
    }

    /** Forgets a photo; does nothing where it is not there. */
    fun forget(photo: String) {
        check(!closed) { "the index is not open for writing any more" }
        if (content.rows.forget(photo)) content.pending += GalleryLine.forgotten(photo)
    }

    /**
     * Writes what is pending, through to the disk; after a failure it can be tried again.
     *
     * @throws org.pocketclip.core.MachineException the storage is full.
     */
    fun flush() {
        if (content.pending.isNotEmpty()) onStorage(folder) { write(content, GalleryFiles(folder, content.identity.generation)) }
    }

    /** Writes what is pending, then a new generation where so much was forgotten that it pays; throws as [flush]. */
    override fun close() {
        if (closed) return
        closed = true
        lock.use {
            flush()
            val forgotten = content.rows.rowCount - index.photoCount
            if (forgotten >= maxOf(LEAST_FORGOTTEN, content.rows.rowCount / 2)) onStorage(folder) { rewrite() }
        }
    }

    /** Makes the files, or takes away what was half written; and what is left of other generations. */
    private fun begin() {
        val files = GalleryFiles(folder, content.identity.generation)
        if (!content.disk.isBegun) {
            files.remove()
            writeIdentity(content.identity)
            content.disk = content.disk.copy(isBegun = true)
        }
        files.removeOthers()
        val disk = content.disk
        val rowBytes = disk.rowCount.toLong() * content.identity.rowBytes
        cut(files.rows, rowBytes)
        cut(files.photos, disk.logBytes)
        content.disk = disk.copy(rowFileBytes = rowBytes, logFileBytes = disk.logBytes)
    }

    private fun cut(file: File, bytes: Long) = RandomAccessFile(file, "rw").use { if (it.length() > bytes) it.setLength(bytes) }

    /** Writes where the last one that succeeded had ended: what a failed one left is written over. */
    private fun write(content: GalleryContent, files: GalleryFiles) {
        val disk = content.disk
        val rowBytes = append(files.rows, disk.rowCount.toLong() * content.identity.rowBytes) { channel ->
            content.rows.bytes(disk.rowCount) { channel.writeAll(it) }
        }
        val logBytes = append(files.photos, disk.logBytes) { channel ->
            for (lines in content.pending.chunked(LINES_AT_ONCE)) {
                val bytes = ByteArrayOutputStream().also { joined -> lines.forEach { joined.write(it.bytes()) } }
                channel.writeAll(ByteBuffer.wrap(bytes.toByteArray()))
            }
        }
        content.disk = DiskState(true, content.rows.rowCount, rowBytes, logBytes, logBytes)
        content.pending.clear()
        content.rows.mapFull(files.rows)
    }

    /** Writes at a place, through to the disk, and returns where it ended. */
    private fun append(file: File, start: Long, action: (FileChannel) -> Unit): Long =
        RandomAccessFile(file, "rw").use { opened ->
            opened.seek(start)
            action(opened.channel)
            opened.fd.sync()
            opened.filePointer
        }

    private fun FileChannel.writeAll(bytes: ByteBuffer) {
        while (bytes.hasRemaining()) write(bytes)
    }

    /** Writes a new generation of the photos that are there beside this one; `index.json` is replaced last. */
    private fun rewrite() {
        val before = content
        val identity = before.identity.copy(generation = before.identity.generation + 1)
        val files = GalleryFiles(folder, identity.generation)
        files.remove()
        val next = GalleryContent(identity, LiveRows(identity.width), DiskState(true, 0, 0, 0, 0), false)
        try {
            copyRows(before, next, files)
            writeIdentity(identity)
        } catch (error: IOException) {
            files.remove()
            throw error
        }
        index.become(next)
        GalleryFiles(folder, before.identity.generation).remove()
    }

    private fun copyRows(before: GalleryContent, next: GalleryContent, files: GalleryFiles) {
        val reader = RowReader(next.identity.width)
        val row = ShortArray(next.identity.width)
        for (block in before.rows.seen.blocks) {
            reader.each(block) { photo, values, start ->
                values.copyInto(row, 0, start, start + row.size)
                val kept = photo.copy(row = next.rows.rowCount)
                next.rows.add(kept, row)
                next.pending += GalleryLine.of(kept)
            }
            // What is written is mapped, and does not gather in memory.
            if (next.pending.size >= ROWS_AT_ONCE) write(next, files)
        }
        write(next, files)
    }

    private fun writeIdentity(identity: GalleryIdentity) = Hashing.writeWhole(
        GalleryFiles.index(folder),
        Documents.write(GalleryIdentity.serializer(), identity).toByteArray(),
    )

    private companion object {
        /** A new generation pays once so many rows are of no photo, and they are half of all. */
        const val LEAST_FORGOTTEN = 1_000
        const val ROWS_AT_ONCE = 8_192
        const val LINES_AT_ONCE = 256
    }
}
