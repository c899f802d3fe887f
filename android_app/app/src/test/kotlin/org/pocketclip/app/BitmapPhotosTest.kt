package org.pocketclip.app

import android.graphics.Bitmap
import android.graphics.Color
import java.io.File
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.core.InputException
import org.pocketclip.machine.BitmapPhotos
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Android's own decoders, as Robolectric has them, on the image files that all programs are tested with. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class)
class BitmapPhotosTest {
    private val goldens = File(System.getProperty("pocketclip.goldens") ?: "../../tests/app_golden")

    private fun sides(entry: JsonObject) = entry.getValue("upright").jsonObject.let { sides ->
        sides.getValue("width").jsonPrimitive.int to sides.getValue("height").jsonPrimitive.int
    }

    @Test
    fun `image files become Python's pixels`() {
        val entries = Json.parseToJsonElement(File(goldens, "encoded.json").readText()).jsonArray.map { it.jsonObject }
        assertTrue(entries.size > 30)
        val wrong = entries.mapNotNull { entry ->
            val name = entry.getValue("name").jsonPrimitive.content
            val decoded = BitmapPhotos.decode(File(goldens, "encoded/$name").readBytes())
            assertEquals(name, sides(entry), decoded.width to decoded.height)
            val wanted = File(goldens, "encoded/$name.rgb").readBytes()
            val worst = wanted.indices.maxOf { abs((wanted[it].toInt() and BYTE) - (decoded.pixels[inMemory(it)].toInt() and BYTE)) }
            "$name: $worst".takeIf { worst > maxOf(1, entry.getValue("tolerance").jsonPrimitive.int) }
        }
        assertEquals(emptyList<String>(), wrong)
    }

    /** Where a value lies in the memory of Robolectric's bitmaps: unlike a phone's, a PC's may have blue first. */
    private fun inMemory(place: Int): Int = if (blueFirst) place - place % 3 + (2 - place % 3) else place

    private val blueFirst by lazy {
        val pixel = ByteBuffer.allocate(4)
        Bitmap.createBitmap(intArrayOf(Color.BLUE), 1, 1, Bitmap.Config.ARGB_8888).copyPixelsToBuffer(pixel)
        pixel[0].toInt() and BYTE == BYTE
    }

    @Test
    fun `what is no image is refused`() {
        for (file in listOf("", "no image", "\u0000\u0000\u0000\u0018ftypheic", "GIF89a", "\u00FF\u00D8")) {
            assertThrows(file, InputException::class.java) { BitmapPhotos.decode(file.toByteArray(Charsets.ISO_8859_1)) }
        }
    }

    private companion object {
        const val BYTE = 0xFF
    }
}
