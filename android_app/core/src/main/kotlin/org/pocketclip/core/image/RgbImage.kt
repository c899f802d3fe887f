package org.pocketclip.core.image

/**
 * Packed 8-bit RGB, row by row.
 *
 * @property pixels `height * width * 3` bytes, unsigned.
 */
class RgbImage(val width: Int, val height: Int, val pixels: ByteArray) {
    init {
        require(width > 0 && height > 0) { "an image needs at least one pixel, got $width x $height" }
        require(pixels.size.toLong() == width.toLong() * height * CHANNELS) {
            "$width x $height pixels of RGB take ${width.toLong() * height * CHANNELS} bytes, got ${pixels.size}"
        }
    }

    companion object {
        const val CHANNELS = 3

        private const val STORED_CHANNELS = 4
        private const val BYTE = 0xFF

        /**
         * Puts an image over white, as docs/bundles.md says: `c + 255 - a` for colours multiplied by their opacity, as
         * Android's bitmaps have them. Dividing by the opacity first, as `Bitmap.getPixels` does, loses what few opaque
         * pixels have.
         *
         * @param rgba red, green, blue and opacity, one byte each, in rows of `rowBytes`.
         */
        fun overWhite(width: Int, height: Int, rgba: ByteArray, rowBytes: Int = width * STORED_CHANNELS): RgbImage {
            require(width > 0 && height > 0 && rowBytes >= width * STORED_CHANNELS) {
                "rows of $rowBytes bytes do not hold $width x $height pixels"
            }
            val needed = rowBytes.toLong() * (height - 1) + width * STORED_CHANNELS
            require(rgba.size >= needed) { "need $needed bytes, got ${rgba.size}" }
            val pixels = ByteArray(width * height * CHANNELS)
            for (row in 0 until height) overWhite(rgba, row * rowBytes, pixels, row * width, width)
            return RgbImage(width, height, pixels)
        }

        /**
         * The same for an image that is read a few rows at a time: a second copy of all of it may not fit into memory.
         *
         * @param rows so many at a time.
         * @param read puts the rows from `first` on into `rgba`, without a gap; what lies below the last is not looked at.
         */
        fun overWhite(width: Int, height: Int, rows: Int, read: (first: Int, rgba: ByteArray) -> Unit): RgbImage {
            require(width > 0 && height > 0 && rows > 0) { "$rows rows at a time do not make $width x $height pixels" }
            val pixels = ByteArray(width * height * CHANNELS)
            val rgba = ByteArray(rows * width * STORED_CHANNELS)
            for (first in 0 until height step rows) {
                read(first, rgba)
                val count = minOf(rows, height - first) * width
                overWhite(rgba, 0, pixels, first * width, count)
            }
            return RgbImage(width, height, pixels)
        }

        /** [count] pixels from the byte [start] on become those from the pixel [goal] on. */
        private fun overWhite(rgba: ByteArray, start: Int, pixels: ByteArray, goal: Int, count: Int) {
            var from = start
            var place = goal * CHANNELS
            repeat(count) {
                val white = BYTE - (rgba[from + CHANNELS].toInt() and BYTE)
                repeat(CHANNELS) {
                    pixels[place++] = ((rgba[from + it].toInt() and BYTE) + white).coerceAtMost(BYTE).toByte()
                }
                from += STORED_CHANNELS
            }
        }
    }
}
