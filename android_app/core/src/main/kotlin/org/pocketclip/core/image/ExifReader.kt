package org.pocketclip.core.image

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Finds EXIF's orientation in the bytes of an image file. Files are not trusted: what does not fit is no orientation. */
internal object ExifReader {
    private const val ORIENTATION = 0x0112
    private const val SHORT = 3
    private const val LONG = 4
    private const val ENTRY_BYTES = 12
    private const val BYTE = 0xFF
    private const val WORD = 0xFFFF
    private const val PNG_SIGNATURE = "\u0089PNG\r\n\u001A\n"
    private const val EXIF_HEADER = "Exif\u0000\u0000"

    private enum class Kind { JPEG, PNG, WEBP }

    /** Whether a file is of a kind whose orientation is found here. */
    fun knows(file: ByteArray): Boolean = kind(ByteBuffer.wrap(file)) != null

    /** The tag's value, or null where there is none. */
    fun orientation(file: ByteArray): Int? {
        val bytes = ByteBuffer.wrap(file)
        val block = when (kind(bytes)) {
            Kind.JPEG -> jpegBlock(bytes)
            Kind.PNG -> pngBlock(bytes)
            Kind.WEBP -> webpBlock(bytes)
            null -> null
        }
        return block?.let(::tiffOrientation)
    }

    private fun kind(bytes: ByteBuffer): Kind? = when {
        bytes.startsWith("\u00FF\u00D8") -> Kind.JPEG
        bytes.startsWith(PNG_SIGNATURE) -> Kind.PNG
        bytes.startsWith("RIFF") && bytes.hasText(8, "WEBP") -> Kind.WEBP
        else -> null
    }

    private fun jpegBlock(bytes: ByteBuffer): ByteBuffer? {
        var place = 2
        while (place + 4 <= bytes.limit() && bytes.unsigned(place) == BYTE) {
            val marker = bytes.unsigned(place + 1)
            if (marker == BYTE) {
                // A marker may be preceded by any number of these.
                place++
                continue
            }
            // Start of the scan, end of the image: EXIF stands before.
            if (marker == 0xDA || marker == 0xD9) return null
            val length = bytes.getShort(place + 2).toInt() and WORD
            if (marker == 0xE1 && bytes.hasText(place + 4, EXIF_HEADER)) {
                return bytes.part(place + 4 + EXIF_HEADER.length, length - 2 - EXIF_HEADER.length)
            }
            if (length < 2) return null
            place += 2 + length
        }
        return null
    }

    private fun pngBlock(bytes: ByteBuffer): ByteBuffer? {
        var place = PNG_SIGNATURE.length.toLong()
        while (place + 8 <= bytes.limit()) {
            val start = place.toInt()
            val length = bytes.getInt(start).toLong() and 0xFFFFFFFFL
            if (bytes.hasText(start + 4, "eXIf")) return bytes.part(start + 8, length)
            place += 12 + length
        }
        return null
    }

    private fun webpBlock(bytes: ByteBuffer): ByteBuffer? {
        var place = 12L
        while (place + 8 <= bytes.limit()) {
            val start = place.toInt()
            val length = Integer.reverseBytes(bytes.getInt(start + 4)).toLong() and 0xFFFFFFFFL
            if (bytes.hasText(start, "EXIF")) {
                // Some writers put JPEG's header in front.
                val header = if (bytes.hasText(start + 8, EXIF_HEADER)) EXIF_HEADER.length else 0
                return bytes.part(start + 8 + header, length - header)
            }
            place += 8 + length + length % 2
        }
        return null
    }

    private fun tiffOrientation(tiff: ByteBuffer): Int? {
        when {
            tiff.startsWith("II*\u0000") -> tiff.order(ByteOrder.LITTLE_ENDIAN)
            tiff.startsWith("MM\u0000*") -> tiff.order(ByteOrder.BIG_ENDIAN)
            else -> return null
        }
        if (tiff.limit() < 8) return null
        val directory = tiff.getInt(4).toLong() and 0xFFFFFFFFL
        if (directory + 2 > tiff.limit()) return null
        val entries = tiff.getShort(directory.toInt()).toInt() and WORD
        for (entry in 0 until entries) {
            val place = directory + 2 + entry.toLong() * ENTRY_BYTES
            if (place + ENTRY_BYTES > tiff.limit()) return null
            val start = place.toInt()
            if (tiff.getShort(start).toInt() and WORD == ORIENTATION) {
                return when (tiff.getShort(start + 2).toInt()) {
                    SHORT -> tiff.getShort(start + 8).toInt() and WORD
                    LONG -> tiff.getInt(start + 8)
                    else -> null
                }
            }
        }
        return null
    }

    private fun ByteBuffer.unsigned(place: Int): Int = get(place).toInt() and BYTE

    private fun ByteBuffer.startsWith(text: String): Boolean = hasText(0, text)

    private fun ByteBuffer.hasText(place: Int, text: String): Boolean =
        place + text.length <= limit() && text.indices.all { unsigned(place + it) == text[it].code }

    /** A view of what there is of so many bytes. */
    private fun ByteBuffer.part(place: Int, length: Number): ByteBuffer? {
        if (place > limit() || length.toLong() < 0) return null
        val end = minOf(limit().toLong(), place + length.toLong()).toInt()
        return (duplicate().position(place).limit(end) as ByteBuffer).slice()
    }
}
