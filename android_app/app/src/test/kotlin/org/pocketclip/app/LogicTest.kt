package org.pocketclip.app

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.pocketclip.app.classify.FrameGate
import org.pocketclip.app.classify.LabelText
import org.pocketclip.app.photos.CameraPhotos

class LogicTest {
    @get:Rule
    val temporary = TemporaryFolder()

    @Test
    fun `labels are what stands between commas and line ends`() {
        assertEquals(listOf("a red circle", "犬", "x"), LabelText.parse(" a red circle ,,\n犬，a red circle、 x,"))
        assertEquals(emptyList<String>(), LabelText.parse(" , \n"))
    }

    @Test
    fun `frames come at no more than the rate, and never while one is worked on`() {
        val gate = FrameGate(5)
        // A camera with 30 frames a second for two seconds, each frame taking 20 ms of work.
        var taken = 0
        for (frame in 0 until 60) {
            val now = frame * 1_000_000_000L / 30
            if (gate.take(now)) {
                taken++
                gate.done(now + 20_000_000)
            }
        }
        assertEquals(10, taken)
        assertEquals(50L, gate.dropped)
        assertEquals(5.0, gate.measuredPerSecond()!!, 0.1)
    }

    @Test
    fun `work slower than the rate drops frames in place of queueing them`() {
        val gate = FrameGate(10)
        assertTrue(gate.take(0))
        assertFalse("one is being worked on", gate.take(500_000_000))
        gate.done(900_000_000)
        assertTrue(gate.take(900_000_000))
        gate.done(1_000_000_000)
        // The nine that were missed are not made up for.
        assertFalse(gate.take(1_000_000_000 - 50_000_000))
        assertTrue(gate.take(1_000_000_000))
    }

    @Test
    fun `nothing is claimed of a rate before there are two frames`() {
        val gate = FrameGate(5)
        assertNull(gate.measuredPerSecond())
        gate.take(0)
        gate.done(1)
        assertNull(gate.measuredPerSecond())
        assertThrows(IllegalArgumentException::class.java) { FrameGate(0) }
    }

    @Test
    fun `each photo of the camera has a name of its own, and the latest is kept`() {
        val folder = File(temporary.root, "photos")
        val photos = CameraPhotos(folder)
        val first = photos.next().apply { writeText("first") }
        photos.keepOnly(first)
        photos.giveUp(photos.next())
        assertEquals("one that was not taken changes nothing", listOf(first), folder.listFiles()!!.toList())
        val second = photos.next()
        assertNotEquals(first, second)
        photos.keepOnly(second)
        assertEquals(listOf(second), folder.listFiles()!!.toList())
    }
}
