package org.pocketclip.core.gallery

import java.io.File
import java.io.FileInputStream
import java.io.IOException
import java.io.InputStream
import org.pocketclip.core.DocumentException
import org.pocketclip.core.GalleryDamagedException

/**
 * What `photos-N.jsonl` says.
 *
 * @property photos those that are there, by what they are found by.
 * @property wholeBytes how far the file goes in whole lines; what is behind counts as not written.
 * @property lostRows lines that name a row which is not there: they count as not written, too.
 */
internal class GalleryLog private constructor(
    val photos: HashMap<String, GalleryPhoto>,
    val wholeBytes: Long,
    val lostRows: Int,
) {
    companion object {
        /**
         * Reads a log; one that is not there is empty.
         *
         * @param rowCount rows that are there.
         * @throws GalleryDamagedException a whole line is none of a log.
         */
        fun read(file: File, rowCount: Int): GalleryLog {
            val photos = HashMap<String, GalleryPhoto>()
            if (!file.isFile) return GalleryLog(photos, 0, 0)
            var lostRows = 0
            try {
                FileInputStream(file).use { input ->
                    val lines = Lines(input, file.name)
                    while (lines.next()) {
                        val line = GalleryLine.read(lines.text(), lines.place)
                        val photo = photo(line)
                        when {
                            photo == null -> photos.remove(line.photo)
                            photo.row < rowCount -> photos[photo.photo] = photo
                            else -> lostRows++
                        }
                    }
                    return GalleryLog(photos, lines.wholeBytes, lostRows)
                }
            } catch (error: IOException) {
                throw GalleryDamagedException("cannot read $file (${error.message}); $AGAIN", error)
            } catch (error: DocumentException) {
                throw GalleryDamagedException("${error.message}; $AGAIN", error)
            }
        }

        private fun photo(line: GalleryLine): GalleryPhoto? {
            val version = line.version ?: return null
            val row = line.row ?: return null
            return GalleryPhoto(line.photo, version, row, line.name)
        }
    }

    /** The whole lines of a stream; memory for one is all that it takes. */
    private class Lines(private val input: InputStream, private val file: String) {
        private val buffer = ByteArray(GalleryLine.MOST_BYTES)
        private var filled = 0
        private var start = 0
        private var end = 0
        private var number = 0

        /** Which line it is, for messages. */
        val place: String get() = "$file, line $number"

        /** Bytes of the lines so far, their ends included. */
        var wholeBytes = 0L
            private set

        /** Goes to the next line; false where no whole one is left. */
        fun next(): Boolean {
            number++
            start = end
            var searched = start
            while (true) {
                for (place in searched until filled) {
                    if (buffer[place] == LINE_FEED) {
                        end = place + 1
                        wholeBytes += end - start
                        return true
                    }
                }
                if (start == 0 && filled == buffer.size) throw DocumentException("$place has more than ${buffer.size} bytes")
                buffer.copyInto(buffer, 0, start, filled)
                filled -= start
                start = 0
                end = 0
                searched = filled
                val read = input.read(buffer, filled, buffer.size - filled)
                if (read < 0) return false
                filled += read
            }
        }

        /**
         * The line without its end.
         *
         * @throws DocumentException it is no UTF-8.
         */
        fun text(): String = strictText(place, buffer, start, end - 1 - start)
    }
}

private const val LINE_FEED = '\n'.code.toByte()
