package org.pocketclip.core.image

import java.util.Base64
import kotlin.random.Random
import kotlinx.serialization.json.intOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.text

class OrientationTest {
    private val files = Goldens.json("orientations.json").jsonArray.map { it.jsonObject }

    private fun bytes(place: Int): ByteArray = Base64.getDecoder().decode(files[place].text("file"))

    @Test
    fun `JPEG, PNG and WebP files tell their orientation`() {
        assertEquals(27, files.size)
        files.forEachIndexed { place, entry ->
            val wanted = entry.getValue("orientation").jsonPrimitive.intOrNull ?: 1
            assertEquals(wanted, Orientation.read(bytes(place)).exif, "${entry.text("kind")} $wanted")
        }
    }

    @Test
    fun `every orientation differs from every other`() {
        val image = RgbImage(3, 2, ByteArray(18) { it.toByte() })
        val turned = Orientation.entries.map { it.apply(image) }
        assertEquals(8, turned.distinctBy { Triple(it.width, it.height, it.pixels.toList()) }.size)
        assertSame(image, Orientation.NORMAL.apply(image))
        // A quarter four times is none.
        val round = (1..4).fold(image) { made, _ -> Orientation.ROTATED_90.apply(made) }
        assertEquals(image.pixels.toList(), round.pixels.toList())
        assertEquals(image.pixels.toList(), Orientation.ROTATED_270.apply(Orientation.ROTATED_90.apply(image)).pixels.toList())
    }

    @Test
    fun `truncated and altered files are read without an exception`() {
        val random = Random(4)
        for (place in files.indices) {
            val file = bytes(place)
            for (length in file.indices step 3) Orientation.read(file.copyOf(length))
            repeat(200) {
                val altered = file.copyOf()
                repeat(3) { altered[random.nextInt(minOf(altered.size, 200))] = random.nextInt().toByte() }
                Orientation.read(altered)
            }
        }
    }

    @Test
    fun `what says nothing is upright`() {
        for (file in listOf(ByteArray(0), "text".toByteArray(), "GIF89a".toByteArray(), byteArrayOf(-1, -40))) {
            assertEquals(Orientation.NORMAL, Orientation.read(file))
        }
        assertEquals(Orientation.NORMAL, Orientation.of(0))
        assertEquals(Orientation.NORMAL, Orientation.of(9))
    }

    @Test
    fun `files of other kinds are left to what decodes them`() {
        for (place in files.indices) assertTrue(Orientation.readable(bytes(place)), "$place")
        for (header in listOf("\u0000\u0000\u0000\u0018ftypheic", "\u0000\u0000\u0000\u0018ftypavif", "GIF89a", "RIFF\u0000\u0000\u0000\u0000WAVE", "")) {
            assertFalse(Orientation.readable(header.toByteArray(Charsets.ISO_8859_1)), header)
        }
    }

    @Test
    fun `a WebP may have JPEG's header, a JPEG filling bytes, and a value 32 bits`() {
        val tiff = "II*\u0000\u0008\u0000\u0000\u0000\u0001\u0000\u0012\u0001\u0004\u0000\u0001\u0000\u0000\u0000\u0006\u0000\u0000\u0000"
        val exif = "Exif\u0000\u0000$tiff"
        val webp = "RIFF\u0000\u0000\u0000\u0000WEBPEXIF${exif.length.toChar()}\u0000\u0000\u0000$exif"
        assertEquals(Orientation.ROTATED_90, Orientation.read(webp.toByteArray(Charsets.ISO_8859_1)))
        val jpeg = "\u00FF\u00D8\u00FF\u00FF\u00E1\u0000${(exif.length + 2).toChar()}$exif"
        assertEquals(Orientation.ROTATED_90, Orientation.read(jpeg.toByteArray(Charsets.ISO_8859_1)))
        val afterScan = "\u00FF\u00D8\u00FF\u00DA\u0000\u0002$jpeg"
        assertEquals(Orientation.NORMAL, Orientation.read(afterScan.toByteArray(Charsets.ISO_8859_1)))
        assertTrue(Orientation.read(jpeg.replace("\u0012\u0001\u0004", "\u0012\u0001\u0002").toByteArray(Charsets.ISO_8859_1)) == Orientation.NORMAL)
    }
}
