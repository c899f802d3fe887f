package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.Status
import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.Tensor

/** LiteRT itself is not here: its classes are a stub, and what it does is told by [FakeLibrary]. */
class LiteRtTest {
    private val everything = LiteRtAccelerator.entries.toSet()

    private fun runtime(library: FakeLibrary, npuLibraries: File? = null) = LiteRt(library, npuLibraries)

    private fun refusal(message: String) = FakeLibrary({ everything }, model = { throw LiteRtException(Status.ErrorCompilation, message) })

    /** A folder with the library by which LiteRT reaches a neural processor. */
    private fun driver(folder: Path): File = folder.toFile().also { File(it, "libLiteRtDispatch_Vendor.so").createNewFile() }

    @Test
    fun `a missing native library is an error in words and leaves no version`() {
        val runtime = LiteRt()
        val error = assertThrows(RuntimeMissingException::class.java) { runtime.prepare() }
        assertTrue("add com.google.ai.edge.litert:litert:2.3.0" in error.message!!, error.message)
        assertThrows(RuntimeMissingException::class.java) { runtime.load(golden("float32"), LoadOptions()) }
        assertNull(runtime.version)
    }

    @Test
    fun `an environment that cannot be made is an error in words, and is asked for again`() {
        var faults = 1
        val library = FakeLibrary(onOpen = { if (faults-- > 0) throw LiteRtException(Status.ErrorRuntimeFailure, "no memory") })
        val runtime = runtime(library)
        val error = assertThrows(RuntimeMissingException::class.java) { runtime.prepare() }
        assertTrue("cannot be set up on this device: no memory" in error.message!!, error.message)
        runtime.prepare()
        assertEquals("litert 2.3.0", runtime.version)
    }

    @Test
    fun `Qualcomm's libraries add their version`(@TempDir folder: Path) {
        File(driver(folder), "libQnnHtp.so").writeText("v2.50.40.260831140417 ")
        val runtime = runtime(FakeLibrary({ everything }), folder.toFile())
        runtime.prepare()
        assertEquals("v2.50.40.260831140417", runtime.qnnVersion)
        assertEquals("litert 2.3.0, QNN v2.50.40.260831140417", runtime.version)
    }

    @Test
    fun `an environment that does not tell its accelerators is closed`() {
        for (fault in listOf(LiteRtException(Status.ErrorRuntimeFailure, "why"), IllegalArgumentException("why"))) {
            val library = FakeLibrary(registered = { throw fault })
            assertThrows(RuntimeMissingException::class.java) { runtime(library).prepare() }
            assertEquals(listOf("environment"), library.closed)
        }
    }

    @Test
    fun `one environment serves every model`() {
        val library = FakeLibrary()
        val runtime = runtime(library)
        repeat(2) { runtime.prepare() }
        repeat(2) { runtime.load(golden("float32"), LoadOptions()).close() }
        assertEquals(1, library.opened.size)
        assertTrue(library.closed.isEmpty())
    }

    @Test
    fun `each accelerator is asked for alone, and threads go with it`(@TempDir folder: Path) {
        val library = FakeLibrary({ everything })
        val runtime = runtime(library, driver(folder))
        val wanted = mapOf(
            null to setOf(LiteRtAccelerator.CPU),
            Accelerator.XNNPACK to setOf(LiteRtAccelerator.CPU),
            Accelerator.GPU to setOf(LiteRtAccelerator.GPU),
            // With NONE beside it, LiteRT does not add the processor.
            Accelerator.NPU to setOf(LiteRtAccelerator.NPU, LiteRtAccelerator.NONE),
        )
        val model = golden("int32")
        for ((asked, targets) in wanted) {
            library.compiled.clear()
            runtime.load(model, LoadOptions(threads = 3, accelerator = asked)).close()
            assertEquals(listOf(Triple(model.path.path, targets, 3)), library.compiled)
        }
    }

    @Test
    fun `nothing is claimed that LiteRT does not say`(@TempDir folder: Path) {
        val runtime = runtime(FakeLibrary({ everything }), driver(folder))
        val claimed = listOf(Accelerator.XNNPACK, Accelerator.GPU, Accelerator.NPU).map {
            runtime.load(golden("float32"), LoadOptions(accelerator = it)).use { session -> session.acceleratorObserved }
        }
        assertEquals(listOf(null, "gpu", "npu"), claimed)
    }

    @Test
    fun `what is not here is missing with a remedy, never replaced`() {
        val library = FakeLibrary({ everything - LiteRtAccelerator.GPU })
        val runtime = runtime(library)
        runtime.prepare()
        assertEquals(setOf(Accelerator.XNNPACK), runtime.accelerators)
        val remedies = mapOf(
            Accelerator.CPU to "ask for xnnpack",
            Accelerator.NNAPI to "ask for one of these",
            Accelerator.GPU to "add com.google.ai.edge.litert:litert-gpu:2.3.0",
            Accelerator.NPU to "useLegacyPackaging = true",
        )
        assertEquals(Accelerator.entries - runtime.accelerators, remedies.keys.sorted())
        for ((asked, remedy) in remedies) {
            val error = assertThrows(AcceleratorMissingException::class.java) {
                runtime.load(golden("float32"), LoadOptions(accelerator = asked))
            }
            assertTrue("litert has no ${asked.id} here, it has xnnpack; " in error.message!!, error.message)
            assertTrue(remedy in error.message!!, error.message)
        }
        assertTrue(library.compiled.isEmpty())
    }

    @Test
    fun `a neural processor is offered only with its vendor's libraries`(@TempDir folder: Path) {
        File(folder.toFile(), "libLiteRt.so").createNewFile()
        for (nothing in listOf(null, folder.toFile(), File(folder.toFile(), "none"))) {
            val library = FakeLibrary({ everything })
            val runtime = runtime(library, nothing)
            runtime.prepare()
            assertFalse(Accelerator.NPU in runtime.accelerators)
            assertEquals(listOf<File?>(null), library.opened)
        }
        val library = FakeLibrary({ everything })
        val runtime = runtime(library, driver(folder))
        runtime.prepare()
        assertEquals(setOf(Accelerator.XNNPACK, Accelerator.GPU, Accelerator.NPU), runtime.accelerators)
        assertEquals(listOf<File?>(folder.toFile()), library.opened)
    }

    @Test
    fun `a model that an accelerator does not take whole is refused, not handed to the processor`() {
        val library = refusal("ERROR: [litert/runtime/compiled_model.cc:1036]\n\u2514 Some ops are not accelerated.")
        val error = assertThrows(LoadException::class.java) {
            runtime(library).load(golden("float32"), LoadOptions(accelerator = Accelerator.GPU))
        }
        assertTrue("for gpu: Some ops are not accelerated.; nothing falls back" in error.message!!, error.message)
        assertTrue("pocketclip lint --gpu" in error.message!! && "ask for xnnpack" in error.message!!, error.message)
        assertEquals(1, library.compiled.size)
    }

    @Test
    fun `a model that the processor does not take is refused in LiteRT's words`() {
        val silent = runtime(refusal(""))
        for ((runtime, words) in listOf(runtime(refusal("unknown op")) to "for xnnpack: unknown op;", silent to "LiteRtException;")) {
            val error = assertThrows(LoadException::class.java) { runtime.load(golden("float32"), LoadOptions()) }
            assertTrue(words in error.message!! && "float32.tflite" in error.message!!, error.message)
        }
        val broken = FakeLibrary(model = { throw IllegalArgumentException("Unknown status code: 77") })
        assertThrows(LoadException::class.java) { runtime(broken).load(golden("float32"), LoadOptions()) }
    }

    @Test
    fun `LiteRT opens files by their paths alone`() {
        val runtime = runtime(FakeLibrary())
        assertEquals(setOf(LoadMode.FILE), runtime.loadModes)
        for (mode in LoadMode.entries - LoadMode.FILE) {
            val error = assertThrows(LoadException::class.java) { runtime.load(golden("float32"), LoadOptions(loadMode = mode)) }
            assertTrue("cannot load by ${mode.id}; choose from file" in error.message!!, error.message)
        }
    }

    @Test
    fun `a file that does not fit never reaches LiteRT`() {
        val library = FakeLibrary()
        assertThrows(LoadException::class.java) { runtime(library).load(golden("two_inputs"), LoadOptions()) }
        assertThrows(LoadException::class.java) { runtime(library).load(golden("not there"), LoadOptions()) }
        assertTrue(library.compiled.isEmpty())
    }

    @Test
    fun `a loaded model runs`() {
        runtime(FakeLibrary()).load(golden("float32"), LoadOptions()).use { session ->
            val values = FloatArray(6) { it / 4f }
            assertArrayEquals(values, session.run(Tensor.of(values, listOf(1, 2, 3))))
        }
    }
}
