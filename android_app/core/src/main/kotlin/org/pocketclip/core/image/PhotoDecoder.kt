package org.pocketclip.core.image

import org.pocketclip.core.InputException

/** Decodes image files, by whatever the system has for it. Used by several threads at a time. */
fun interface PhotoDecoder {
    /**
     * The photograph in a file's bytes: upright, over white, in sRGB, no larger than models need.
     *
     * @throws InputException it is no image that can be read, or too large.
     */
    fun decode(file: ByteArray): RgbImage
}

/** How much of a photograph is decoded, the same for all decoders. */
object DecodedSize {
    /** The shorter side stays at least this long: four times the largest model input, so that resizing stays ours. */
    private const val SHORTEST_SIDE = 1024

    /** A narrow image of more would take a phone's memory. */
    private const val MOST_PIXELS = 50_000_000

    /**
     * The power of two by which a decoder may leave pixels out; 1 where the sides are not known (below 1).
     *
     * @throws InputException what is left are too many pixels for a phone's memory.
     */
    fun sampling(width: Int, height: Int): Int {
        var factor = 1
        while (minOf(width, height) / (factor * 2) >= SHORTEST_SIDE) factor *= 2
        val left = width.toLong() * height / (factor * factor)
        if (width > 0 && left > MOST_PIXELS) {
            throw InputException("the photo of $width x $height pixels is too large; make it smaller")
        }
        return factor
    }
}
