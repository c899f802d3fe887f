package org.pocketclip.core.image

/** How a stored image must be turned to stand upright; [exif] is the value of EXIF's tag 0x0112. */
enum class Orientation(val exif: Int) {
    NORMAL(1),
    MIRRORED(2),
    ROTATED_180(3),
    FLIPPED(4),
    TRANSPOSED(5),
    ROTATED_90(6),
    TRANSVERSED(7),
    ROTATED_270(8),
    ;

    /** The image turned upright; the same object where nothing is to do. */
    fun apply(image: RgbImage): RgbImage = TODO("follows")

    companion object {
        /** Of EXIF's value; [NORMAL] for values that mean nothing. */
        fun of(exif: Int): Orientation = entries.firstOrNull { it.exif == exif } ?: NORMAL

        /** Of a JPEG, PNG or WebP file's bytes; [NORMAL] where they say nothing or nothing that can be read. */
        fun read(file: ByteArray): Orientation = TODO("follows")
    }
}
