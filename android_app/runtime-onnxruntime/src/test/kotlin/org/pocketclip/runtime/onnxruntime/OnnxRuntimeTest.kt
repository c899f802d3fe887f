package org.pocketclip.runtime.onnxruntime

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.QnnLibraries
import org.pocketclip.core.runtime.Tensor

class OnnxRuntimeTest {
    private val goldens = File(System.getProperty("pocketclip.goldens") ?: "../../tests/app_golden")
    private val runtime = OnnxRuntime()

    private fun model(name: String) = ModelFile(File(goldens, "onnx/$name.onnx"))

    @Test
    fun `facts are the library's`() {
        assertEquals("onnxruntime ${OrtEnvironment.getEnvironment().version}", runtime.version)
        assertTrue(Accelerator.CPU in runtime.accelerators)
        assertTrue(Accelerator.GPU !in runtime.accelerators)
        assertEquals(setOf(LoadMode.FILE, LoadMode.MEMORY), runtime.loadModes)
    }

    @Test
    fun `models of every input type run, from file and from memory`() {
        val sides = listOf(1, 2, 3)
        // By the formula of tests/app_golden/onnx_models.py.
        val wanted = FloatArray(2) { column -> (0..5).sumOf { row -> row * ((row * 2 + column) / 8.0 - 0.5) }.toFloat() }
        val inputs = mapOf(
            "float32" to Tensor.of(FloatArray(6) { it.toFloat() }, sides),
            "int32" to Tensor.of(IntArray(6) { it }, sides),
            "uint8" to Tensor.of(ByteArray(6) { it.toByte() }, sides),
        )
        for (mode in runtime.loadModes) {
            for ((name, input) in inputs) {
                runtime.load(model(name), LoadOptions(threads = 2, loadMode = mode)).use { session ->
                    assertArrayEquals(wanted, session.run(input), 1e-5f)
                    assertEquals("cpu", session.acceleratorObserved)
                    // The result is the caller's own: the next inference does not change it.
                    val first = session.run(input)
                    session.run(Tensor.allocate(input.type, sides))
                    assertArrayEquals(wanted, first, 1e-5f)
                }
            }
        }
    }

    @Test
    fun `Qualcomm's libraries alone make no NPU where the library was built without its provider`(@TempDir folder: Path) {
        folder.resolve("libQnnHtp.so").toFile().writeText("v2.49.40.260810104044 ")
        val withLibraries = OnnxRuntime(QnnLibraries.find(folder.toFile()))
        assertEquals(runtime.accelerators, withLibraries.accelerators)
        assertNull(withLibraries.qnnVersion)
        assertEquals(runtime.version, withLibraries.version)
        assertThrows(AcceleratorMissingException::class.java) {
            withLibraries.load(model("float32"), LoadOptions(accelerator = Accelerator.NPU))
        }
    }

    @Test
    fun `bytes above 127 are not negative`() {
        runtime.load(model("uint8"), LoadOptions()).use { session ->
            val output = session.run(Tensor.of(byteArrayOf(-1, 0, 0, 0, 0, 0), listOf(1, 2, 3)))
            assertArrayEquals(floatArrayOf(-127.5f, -95.625f), output, 1e-4f)
        }
    }

    @Test
    fun `inputs that do not fit are refused, closed models too`() {
        val session = runtime.load(model("float32"), LoadOptions())
        for (wrong in listOf(Tensor.of(FloatArray(6), listOf(1, 3, 2)), Tensor.of(FloatArray(6), listOf(6)), Tensor.of(IntArray(6), listOf(1, 2, 3)))) {
            val error = assertThrows(InferenceException::class.java) { session.run(wrong) }
            assertTrue("the model takes float32 of [1, 2, 3]" in error.message.orEmpty(), error.message)
        }
        session.close()
        session.close()
        assertThrows(InferenceException::class.java) { session.run(Tensor.of(FloatArray(6), listOf(1, 2, 3))) }
    }

    @Test
    fun `models that do not fit are refused`(@TempDir folder: Path) {
        for ((name, word) in listOf("two_inputs" to "2 inputs", "int64" to "takes INT64", "double_output" to "gives DOUBLE")) {
            val error = assertThrows(LoadException::class.java) { runtime.load(model(name), LoadOptions()) }
            assertTrue(word in error.message.orEmpty(), error.message)
        }
        val whole = model("float32").path.readBytes()
        val truncated = folder.resolve("truncated.onnx").toFile().apply { writeBytes(whole.copyOf(whole.size / 2)) }
        for (mode in runtime.loadModes) {
            for (path in listOf(truncated, folder.resolve("none.onnx").toFile())) {
                assertThrows(LoadException::class.java) { runtime.load(ModelFile(path), LoadOptions(loadMode = mode)) }
            }
        }
        assertThrows(LoadException::class.java) { runtime.load(model("float32"), LoadOptions(loadMode = LoadMode.MMAP)) }
    }

    @Test
    fun `an accelerator that is not built in is missing, never replaced`() {
        for (accelerator in Accelerator.entries - runtime.accelerators) {
            val error = assertThrows(AcceleratorMissingException::class.java) {
                runtime.load(model("float32"), LoadOptions(accelerator = accelerator))
            }
            assertTrue("no ${accelerator.id}" in error.message.orEmpty() && "cpu" in error.message.orEmpty(), error.message)
        }
    }

    @Test
    fun `the profile tells what ran`() {
        val environment = OrtEnvironment.getEnvironment()
        OrtSession.SessionOptions().use { options ->
            assertEquals("cpu", ProviderProbe(environment).observed(model("float32").path, options))
        }
        OrtSession.SessionOptions().use { options ->
            assertNull(ProviderProbe(environment).observed(File("/nowhere.onnx"), options))
        }
        val profile = "{\"provider\" : \"XnnpackExecutionProvider\"}{\"provider\":\"CPUExecutionProvider\"}{\"provider\" : \"XnnpackExecutionProvider\"}"
        assertEquals("xnnpack+cpu", ProviderProbe.providers(profile))
        assertNull(ProviderProbe.providers("{}"))
    }
}
