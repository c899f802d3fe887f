package org.pocketclip.core.image

/** How a stored image must be turned to stand upright; [exif] is the value of EXIF's tag 0x0112. */
enum class Orientation(val exif: Int) {
    NORMAL(1),
    MIRRORED(2),
    ROTATED_180(3),
    FLIPPED(4),
    TRANSPOSED(5),

    /** Turned clockwise by a quarter, it stands upright. */
    ROTATED_90(6),
    TRANSVERSED(7),

    /** Turned counter-clockwise by a quarter, it stands upright. */
    ROTATED_270(8),
    ;

    private val swapsSides: Boolean get() = exif >= TRANSPOSED.exif

    /** The image turned upright; the same object where nothing is to do. */
    fun apply(image: RgbImage): RgbImage {
        if (this == NORMAL) return image
        val width = if (swapsSides) image.height else image.width
        val height = if (swapsSides) image.width else image.height
        val turned = ByteArray(image.pixels.size)
        var place = 0
        for (y in 0 until height) {
            for (x in 0 until width) {
                val from = source(image, x, y) * RgbImage.CHANNELS
                repeat(RgbImage.CHANNELS) { turned[place++] = image.pixels[from + it] }
            }
        }
        return RgbImage(width, height, turned)
    }

    /** Which pixel of the stored image stands at (x, y) of the upright one. */
    private fun source(image: RgbImage, x: Int, y: Int): Int {
        val right = image.width - 1
        val bottom = image.height - 1
        val (column, row) = when (this) {
            NORMAL -> x to y
            MIRRORED -> right - x to y
            ROTATED_180 -> right - x to bottom - y
            FLIPPED -> x to bottom - y
            TRANSPOSED -> y to x
            ROTATED_90 -> y to bottom - x
            TRANSVERSED -> right - y to bottom - x
            ROTATED_270 -> right - y to x
        }
        return row * image.width + column
    }

    companion object {
        /** Of EXIF's value; [NORMAL] for values that mean nothing. */
        fun of(exif: Int): Orientation = entries.firstOrNull { it.exif == exif } ?: NORMAL

        /** Whether [read] understands files of this one's kind: what turns others (HEIF, AVIF) must be what decodes them. */
        fun readable(file: ByteArray): Boolean = ExifReader.knows(file)

        /**
         * Of a JPEG, PNG or WebP file's bytes, or its first 64 KiB or more; [NORMAL] where they say nothing, or nothing that
         * can be read.
         */
        fun read(file: ByteArray): Orientation = of(ExifReader.orientation(file) ?: NORMAL.exif)
    }
}
