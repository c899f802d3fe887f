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
            var place = 0
            for (row in 0 until height) {
                var from = row * rowBytes
                repeat(width) {
                    val white = BYTE - (rgba[from + CHANNELS].toInt() and BYTE)
                    repeat(CHANNELS) {
                        pixels[place++] = ((rgba[from + it].toInt() and BYTE) + white).coerceAtMost(BYTE).toByte()
                    }
                    from += STORED_CHANNELS
                }
            }
            return RgbImage(width, height, pixels)
        }
    }
}
