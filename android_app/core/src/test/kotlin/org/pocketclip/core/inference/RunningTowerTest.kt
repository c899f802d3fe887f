package org.pocketclip.core.inference

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.NpuVariant
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.selftest.SelfTest
import org.pocketclip.core.testing.FakeRuntime
import org.pocketclip.core.testing.TestBundle

/** What runs as a tower on which phone, and that it is never left unsaid. */
class RunningTowerTest {
    @TempDir
    lateinit var temporary: Path
    private val made by lazy { TestBundle(temporary.resolve("b").toFile()).write().withVariants("SM8550", "SM8650") }

    private fun open(
        runtime: InferenceRuntime,
        soc: String?,
        options: LoadOptions = LoadOptions(),
        runtimes: List<InferenceRuntime> = listOf(runtime),
    ): RunningTower = RunningTower.open(Bundle.open(made.folder), Tower.IMAGE, runtimes, options, soc)

    private fun onCpu(runtime: InferenceRuntime, soc: String?, words: String) {
        val running = open(runtime, soc)
        assertEquals("onnx", running.model.target)
        assertTrue(words in running.whyNotNpu.orEmpty(), "'$words' in: ${running.whyNotNpu}")
        running.session.close()
    }

    @Test
    fun `on the NPU where the bundle has the phone's chip, and it gives the right values`() {
        val runtime = FakeRuntime.withNpu()
        val running = open(runtime, "SM8650")
        assertEquals("SM8650", (running.model as NpuVariant).soc)
        assertEquals("npu", running.session.acceleratorObserved)
        assertNull(running.whyNotNpu)
        assertEquals(Accelerator.NPU, runtime.lastOptions?.accelerator)
    }

    @Test
    fun `on the CPU where there is no variant for the phone's chip, and it is said`() {
        onCpu(FakeRuntime.withNpu(), "SM8450", "no variant for SM8450; the bundle has variants for SM8550, SM8650")
        onCpu(FakeRuntime.withNpu(), null, "this phone does not tell its chip")
    }

    @Test
    fun `on the CPU where the NPU cannot be had, and it is said`() {
        onCpu(FakeRuntime(), "SM8650", "onnxruntime for SM8650: no npu here")
        onCpu(
            FakeRuntime.withNpu(qnnVersion = "v2.41.0.1"), "SM8650",
            "its graph was prepared by QNN 2.49.40, this application has the older QNN 2.41.0",
        )
    }

    @Test
    fun `a silent fallback is found, and is no NPU`() {
        val runtime = FakeRuntime.withNpu(observed = { "cpu" })
        onCpu(runtime, "SM8650", "it was loaded for the NPU, but cpu executes it")
        assertEquals(0, runtime.open, "what was tried is closed")
        onCpu(FakeRuntime.withNpu(observed = { null }), "SM8650", "an accelerator that is not told executes it")
    }

    @Test
    fun `values that are wrong on this phone are found before anything uses them`() {
        val runtime = FakeRuntime.withNpu(alter = { values, _ -> values.also { it[0] = -it[0] } })
        onCpu(runtime, "SM8650", "its values are wrong on this phone (golden outputs: cosine")
        assertEquals(0, runtime.open)
        onCpu(FakeRuntime.withNpu(alter = { values, _ -> values.also { it[1] = Float.NaN } }), "SM8650", "NaN")
    }

    @Test
    fun `the next variant is tried where the first one fails`() {
        made.withVariants("SM8650", target = "tflite-qnn", runtime = "litert")
        val broken = FakeRuntime.withNpu(observed = { "cpu" })
        val running = open(broken, "SM8650", runtimes = listOf(broken, FakeRuntime.withNpu("litert")))
        assertEquals("litert", running.model.runtime)
        val both = open(broken, "SM8650", runtimes = listOf(broken, FakeRuntime.withNpu("litert", qnnVersion = "v2.48.0.1")))
        assertTrue("onnxruntime for SM8650" in both.whyNotNpu.orEmpty() && "litert for SM8650" in both.whyNotNpu.orEmpty())
    }

    @Test
    fun `what is asked for is taken, and nothing in its place`() {
        val cpu = open(FakeRuntime.withNpu(), "SM8650", LoadOptions(accelerator = Accelerator.CPU))
        assertEquals("onnx" to null, cpu.model.target to cpu.whyNotNpu)
        val npu = open(FakeRuntime.withNpu(), "SM8650", LoadOptions(accelerator = Accelerator.NPU))
        assertEquals("onnx-qnn", npu.model.target)
        for ((soc, runtime) in listOf("SM8450" to FakeRuntime.withNpu(), "SM8650" to FakeRuntime.withNpu(observed = { "cpu" }))) {
            val error = assertThrows(AcceleratorMissingException::class.java) {
                open(runtime, soc, LoadOptions(accelerator = Accelerator.NPU))
            }
            assertTrue(soc in error.message.orEmpty(), error.message)
        }
    }

    @Test
    fun `a bundle without variants has nothing to say of NPUs`() {
        val plain = TestBundle(temporary.resolve("plain").toFile()).write()
        val running = RunningTower.open(Bundle.open(plain.folder), Tower.TEXT, listOf(FakeRuntime()), LoadOptions(), "SM8650")
        assertNull(running.whyNotNpu)
    }

    @Test
    fun `the self-test runs what the application runs, and notes why nothing is on the NPU`() {
        val bundle = Bundle.open(made.folder)
        val onNpu = FakeRuntime.withNpu()
        val report = SelfTest(bundle, listOf(onNpu), "SM8650").run()
        assertTrue(report.passed, report.checks.filterNot { it.passed }.toString())
        assertEquals(emptyList<String>(), report.notes)
        assertEquals(Accelerator.NPU, onNpu.lastOptions?.accelerator)
        val elsewhere = SelfTest(bundle, listOf(FakeRuntime.withNpu()), "SM8450").run()
        assertTrue(elsewhere.passed)
        assertEquals(2, elsewhere.notes.size)
        ImageEncoder.open(bundle, listOf(onNpu), soc = "SM8650").use { assertEquals("npu", it.acceleratorObserved) }
        TextEncoder.open(bundle, listOf(onNpu), soc = "SM8650").use { assertNull(it.running.whyNotNpu) }
    }
}
