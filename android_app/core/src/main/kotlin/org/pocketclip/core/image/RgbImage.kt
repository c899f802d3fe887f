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

        /** From Android's `Bitmap.getPixels`: 0xAARRGGBB, transparency dropped. */
        fun fromArgb(width: Int, height: Int, argb: IntArray): RgbImage {
            require(argb.size.toLong() == width.toLong() * height) { "need ${width.toLong() * height} pixels, got ${argb.size}" }
            val pixels = ByteArray(argb.size * CHANNELS)
            var place = 0
            for (value in argb) {
                pixels[place++] = (value shr 16).toByte()
                pixels[place++] = (value shr 8).toByte()
                pixels[place++] = value.toByte()
            }
            return RgbImage(width, height, pixels)
        }
    }
}
