package org.pocketclip.core.gallery

import java.io.File
import org.pocketclip.core.GalleryDamagedException
import org.pocketclip.core.bundle.SafePaths

/**
 * An index as it is in memory, and how much of it is on the disk.
 *
 * @property identity whose embeddings these are.
 * @property rows the matrix and its photos.
 * @property disk what the files had when they were read or written last.
 * @property needsRewriting whether lines name rows that are not there: the next rows would become theirs.
 */
internal class GalleryContent(
    val identity: GalleryIdentity,
    val rows: LiveRows,
    var disk: DiskState,
    val needsRewriting: Boolean,
) {
    /** What [disk] does not have yet. */
    val pending = mutableListOf<GalleryLine>()

    /** Whether the files are as this index left them, and nothing is missing in them. */
    fun isCurrent(folder: File): Boolean = pending.isEmpty() && disk.isBegun == GalleryFiles.index(folder).isFile &&
        (!disk.isBegun || GalleryIdentity.read(GalleryFiles.index(folder)) == identity) &&
        GalleryFiles(folder, identity.generation).let {
            it.rows.length() == disk.rowFileBytes && it.photos.length() == disk.logFileBytes
        }

    companion object {
        /** An index of nothing, of which no file is there. */
        fun empty(identity: GalleryIdentity): GalleryContent =
            GalleryContent(identity, LiveRows(identity.width), DiskState(false, 0, 0, 0, 0), false)

        /**
         * Reads an index, and looks at each row of a photo.
         *
         * @throws org.pocketclip.core.GalleryException there is none, or it cannot be used.
         */
        fun read(folder: File): GalleryContent {
            val identity = GalleryIdentity.read(GalleryFiles.index(folder))
            val files = GalleryFiles(folder, identity.generation)
            val (rowBytes, logBytes) = files.rows.length() to files.photos.length()
            val rowCount = rowBytes / identity.rowBytes
            if (rowCount > GalleryLine.MOST_ROW + 1) {
                throw GalleryDamagedException("${files.rows} has $rowCount rows, more than any index; $AGAIN")
            }
            val log = GalleryLog.read(files.photos, rowCount.toInt())
            val rows = LiveRows(identity.width)
            onReading(files.rows) { rows.map(files.rows, rowCount.toInt(), log.photos) }
            requireUnitRows(files.rows, rows.seen)
            val disk = DiskState(true, rowCount.toInt(), rowBytes, log.wholeBytes, logBytes)
            return GalleryContent(identity, rows, disk, log.lostRows > 0)
        }

        private fun requireUnitRows(file: File, rows: RowSnapshot) {
            Workers.share(rows.blocks.size, Workers.THREADS, { RowReader(rows.width) }) { reader, block ->
                reader.each(rows.blocks[block]) { photo, values, start ->
                    if (!HalfFloats.isUnit(values, start, rows.width)) {
                        throw GalleryDamagedException(
                            "$file: row ${photo.row}, of ${SafePaths.quoted(photo.photo)}, has not the length 1, " +
                                "or a value that is NaN or infinite; $AGAIN",
                        )
                    }
                }
            }
        }
    }
}

/**
 * What is in the files of an index.
 *
 * @property isBegun whether there is an `index.json`.
 * @property rowCount whole rows.
 * @property rowFileBytes bytes of the rows' file, of a row that is not whole, too.
 * @property logBytes bytes of whole lines.
 * @property logFileBytes bytes of the photos' file, of a line that is not whole, too.
 */
internal data class DiskState(
    val isBegun: Boolean,
    val rowCount: Int,
    val rowFileBytes: Long,
    val logBytes: Long,
    val logFileBytes: Long,
)
