package org.pocketclip.core.measuring

import java.io.File
import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.InferenceException
import org.pocketclip.core.InputException
import org.pocketclip.core.PhotosUnreadableException
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.records.MachineState
import org.pocketclip.core.records.UnreadablePhoto
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.testing.FakeClocks
import org.pocketclip.core.testing.FakeMachine
import org.pocketclip.core.testing.Launches
import org.pocketclip.core.testing.Photos

class ThroughputTest {
    @TempDir
    lateinit var temporary: Path
    private val input = ImageInput(Photos.PREPROCESS, Photos.INPUT)

    /** Keeps what it was given; ends by [fails] at that inference. */
    private class FakeSession(private val fails: Int = -1) : Session {
        val inputs = mutableListOf<FloatArray>()
        override val acceleratorObserved: String? = null

        override fun run(input: Tensor): FloatArray {
            if (inputs.size == fails) throw InferenceException("it broke")
            inputs += input.floats()
            return floatArrayOf(3f, 4f)
        }

        override fun close() = Unit
    }

    private fun photos(vararg contents: String): Map<String, File> = contents.withIndex().associate { (place, content) ->
        "$place.jpg" to temporary.resolve("$place").toFile().apply { writeText(content) }
    }

    private fun plan(photos: Map<String, File>, decoders: Int = 1, seconds: Double = 0.05) =
        ThroughputPlan(photos, decoders, seconds, warmupPhotos = 1, stepPhotos = 3)

    @Test
    fun `photographs are taken in turn, first one by one, then by all threads`() {
        val session = FakeSession()
        val threads = ConcurrentHashMap.newKeySet<String>()
        val decoder = PhotoDecoder { file ->
            threads += Thread.currentThread().name
            Thread.sleep(1)
            Photos.decode(file)
        }
        val machine = FakeMachine()
        val launch = Throughput(session, input, decoder, machine).run(plan(photos("a", "b", "c"), decoders = 3))
        assertEquals(launch.photos + 4, session.inputs.size)
        assertTrue(launch.elapsedNs >= 50_000_000, "$launch")
        assertTrue(minOf(launch.decodeNs, launch.resizeNs, launch.inferenceNs) > 0, "$launch")
        assertTrue(launch.decodeNs >= 1_000_000, "$launch")
        assertEquals(0.5, launch.othersBusyCores)
        assertEquals(2, machine.states, "before and after")
        assertEquals(0, launch.unreadable)
        // This thread for the steps, three besides.
        assertEquals(4, threads.size, "$threads")
        // What the session gets is what the model is fed anywhere else.
        for ((place, found) in session.inputs.withIndex()) {
            assertArrayEquals(input.of(Photos.decode("abc"[place % 3].toString().toByteArray())).floats(), found)
        }
    }

    @Test
    fun `what cannot be decoded is left out, counted once, and some are named`() {
        val contents = Array(9) { if (it < 7) "damaged $it" else "good" }
        val session = FakeSession()
        val launch = Throughput(session, input, Photos, FakeMachine()).run(plan(photos(*contents), decoders = 2))
        assertEquals(7, launch.unreadable)
        assertEquals(List(5) { UnreadablePhoto("$it.jpg", "it is damaged") }, launch.firstUnreadable)
        assertEquals(launch.photos + 4, session.inputs.size)
    }

    @Test
    fun `reasons are short, and never empty`() {
        for ((said, kept) in listOf("x".repeat(10_000) to "x".repeat(300), "" to "no reason is known")) {
            val decoder = PhotoDecoder { file -> if (file[0] == 'd'.code.toByte()) throw InputException(said) else Photos.decode(file) }
            val launch = Throughput(FakeSession(), input, decoder, FakeMachine()).run(plan(photos("damaged", "good")))
            assertEquals(listOf(UnreadablePhoto("0.jpg", kept)), launch.firstUnreadable)
        }
    }

    @Test
    fun `without a photograph that can be decoded nothing is measured, also where they become so`() {
        val none = assertThrows(PhotosUnreadableException::class.java) {
            Throughput(FakeSession(), input, Photos, FakeMachine()).run(plan(photos("damaged", "damaged")))
        }
        assertEquals("none of the 2 photographs can be decoded (first: 0.jpg: it is damaged)", none.message)
        var decoded = 0
        val tires = PhotoDecoder { file -> if (decoded++ < 4) Photos.decode(file) else throw InputException("no more") }
        assertThrows(PhotosUnreadableException::class.java) {
            Throughput(FakeSession(), input, tires, FakeMachine()).run(plan(photos("a", "b")))
        }
    }

    @Test
    fun `failures end it, whichever thread they happen in`() {
        val failing = assertThrows(InferenceException::class.java) {
            Throughput(FakeSession(fails = 5), input, Photos, FakeMachine()).run(plan(photos("a")))
        }
        assertEquals("it broke", failing.message)
        var decoded = 0
        val hungry = PhotoDecoder { file -> if (decoded++ < 4) Photos.decode(file) else throw OutOfMemoryError("bitmap") }
        assertThrows(OutOfMemoryError::class.java) {
            Throughput(FakeSession(), input, hungry, FakeMachine()).run(plan(photos("a")))
        }
    }

    @Test
    fun `heat is looked at every five seconds, and may end it`() {
        val looked = mutableListOf<MachineState>()
        // Each look at the clock takes a second.
        val clocks = FakeClocks(stepNs = 1_000_000_000)
        val throughput = Throughput(FakeSession(), input, Photos, FakeMachine({ Launches.state().copy(thermalStatus = it) }), clocks) {
            looked += it
        }
        val launch = throughput.run(plan(photos("a", "b"), seconds = 20.0))
        assertEquals(20_000_000_000, launch.elapsedNs)
        assertEquals(listOf(1, 2, 3), looked.map { it.thermalStatus })
        assertEquals(listOf(0, 4), listOf(launch.before.thermalStatus, launch.after?.thermalStatus))
    }
}
