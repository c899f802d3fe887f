package org.pocketclip.app

import android.net.Uri
import java.io.ByteArrayInputStream
import java.io.File
import kotlin.math.abs
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.test.runTest
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.photos.ContentPhotoReader
import org.pocketclip.core.Documents
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Android's own decoders, which Robolectric brings for the JVM, on the image files that Python's tests read. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhotoDecodingTest {
    private val folder = File(System.getProperty("pocketclip.goldens") ?: "../../tests/app_golden")

    @Test
    fun `image files become the pixels that Python makes of them`() = runTest {
        val resolver = RuntimeEnvironment.getApplication().contentResolver
        val reader = ContentPhotoReader(resolver, Dispatchers.Unconfined)
        val entries = Documents.parse(File(folder, "encoded.json").readText(), "encoded.json").jsonArray
        assertTrue(entries.size > 30)
        val worst = entries.map { it.jsonObject }.associate { entry ->
            val name = entry.getValue("name").jsonPrimitive.content
            val uri = Uri.parse("content://photos/$name")
            shadowOf(resolver).registerInputStream(uri, ByteArrayInputStream(File(folder, "encoded/$name").readBytes()))
            val found = reader.read(uri.toString())
            val wanted = File(folder, "encoded/$name.rgb").readBytes()
            val sides = entry.getValue("upright").jsonObject
            assertEquals(name, sides.getValue("width").jsonPrimitive.int to sides.getValue("height").jsonPrimitive.int, found.width to found.height)
            val steps = wanted.indices.maxOf { abs((wanted[it].toInt() and 0xFF) - (found.pixels[it].toInt() and 0xFF)) }
            name to steps - entry.getValue("tolerance").jsonPrimitive.int
        }
        assertEquals(emptyMap<String, Int>(), worst.filterValues { it > 1 })
    }
}
