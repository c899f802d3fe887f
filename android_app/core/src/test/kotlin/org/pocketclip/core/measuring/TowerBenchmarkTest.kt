package org.pocketclip.core.measuring

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.Documents
import org.pocketclip.core.MeasurementCancelledException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind
import org.pocketclip.core.records.PreparationStep
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Status
import org.pocketclip.core.records.Tower
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.testing.FakeMachine
import org.pocketclip.core.testing.FakeRuntime
import org.pocketclip.core.testing.TestBundle

class TowerBenchmarkTest {
    @TempDir
    lateinit var temporary: Path
    private val bundle by lazy { Bundle.open(TestBundle(temporary.resolve("b").toFile()).write().folder) }
    private val device = DeviceFacts("Test phone", DeviceKind.PHONE, "Android 15", "arm64-v8a", "Test", emptyList(), 8, null)
    private val settings = RunSettings(iterations = 5, warmup = WarmupRule(tolerance = 1000.0))

    private fun benchmark(vararg runtimes: FakeRuntime) = TowerBenchmark(bundle, runtimes.toList(), FakeMachine(), device, "0.1.0")

    @Test
    fun `a tower becomes a measured record that reads back`() {
        for ((tower, step) in listOf(Tower.IMAGE to PreparationStep.PREPROCESS, Tower.TEXT to PreparationStep.TOKENIZE)) {
            val record = benchmark(FakeRuntime()).run(tower, settings)
            assertEquals(Status.MEASURED, record.status)
            assertNull(record.reason)
            assertEquals(5, record.launches.single().steadyNs.size)
            val golden = checkNotNull(record.goldenCheck)
            assertEquals(1.0, golden.cosineMin, 1e-9)
            assertEquals(0.0, golden.maxAbs)
            assertEquals(step, record.preparation?.step)
            assertEquals("onnx-fp32", record.artifact.scheme)
            assertTrue(record.rankable)
            assertEquals(record, Documents.read(BenchmarkRecord.serializer(), record.toJson(), "record"))
        }
    }

    @Test
    fun `a sustained run is a launch apart`() {
        val record = benchmark(FakeRuntime()).run(Tower.IMAGE, settings.copy(sustainedSeconds = 0.05))
        assertTrue(record.launches.single().minutes.isEmpty())
        assertEquals(1, checkNotNull(record.sustained).minutes.size)
    }

    @Test
    fun `what cannot be measured, or computes something else, is a failed record`() {
        val missing = benchmark(FakeRuntime("litert")).run(Tower.IMAGE, settings)
        assertEquals(Status.FAILED, missing.status)
        assertTrue("no onnxruntime" in missing.reason.orEmpty(), missing.reason)
        assertNull(missing.runtime.version)
        val unable = benchmark(FakeRuntime()).run(Tower.IMAGE, settings.copy(accelerator = "gpu"))
        assertTrue("no gpu" in unable.reason.orEmpty())
        assertEquals("gpu", unable.runtime.acceleratorRequested)
        assertNull(unable.runtime.acceleratorObserved)
        val cores = benchmark(FakeRuntime()).run(Tower.IMAGE, settings.copy(cores = listOf(99)))
        assertTrue("99" in cores.reason.orEmpty())
        val other = benchmark(FakeRuntime(alter = { values, _ -> FloatArray(values.size) { -values[it] } })).run(Tower.TEXT, settings)
        assertTrue("golden-mismatch" in other.reason.orEmpty(), other.reason)
        assertTrue(other.launches.isEmpty())
        assertNotNull(other.goldenCheck)
        val dead = benchmark(FakeRuntime(alter = { values, _ -> FloatArray(values.size) })).run(Tower.TEXT, settings)
        assertEquals(0.0, dead.goldenCheck?.cosineMin)
    }

    @Test
    fun `the NPU is measured by the variant for the phone's chip, and what was asked for and what ran are kept apart`() {
        val variants = Bundle.open(TestBundle(temporary.resolve("npu").toFile()).write().withVariants("SM8650").folder)
        val npu = settings.copy(accelerator = "npu")

        fun measured(runtime: FakeRuntime, soc: String?) =
            TowerBenchmark(variants, listOf(runtime), FakeMachine(), device, "0.1.0", soc).run(Tower.IMAGE, npu)
        val record = measured(FakeRuntime.withNpu(), "SM8650")
        assertEquals(Status.MEASURED, record.status, record.reason)
        assertEquals("onnx-qnn-w8a16-static", record.artifact.scheme)
        assertEquals("npu" to "npu", record.runtime.acceleratorRequested to record.runtime.acceleratorObserved)
        assertEquals(listOf("SM8650", "1", "0"), checkNotNull(record.npu).let { listOf(it.soc, "${it.graphs}", "${it.onCpu}") })
        assertEquals(record, Documents.read(BenchmarkRecord.serializer(), record.toJson(), "record"))
        val fallen = measured(FakeRuntime.withNpu(observed = { "cpu" }), "SM8650")
        assertEquals(Status.FAILED, fallen.status)
        assertEquals("accelerator-fallback: npu was asked for, and cpu executed the model", fallen.reason)
        assertEquals("npu" to "cpu", fallen.runtime.acceleratorRequested to fallen.runtime.acceleratorObserved)
        assertTrue(fallen.launches.isEmpty())
        assertTrue("does not tell" in measured(FakeRuntime.withNpu(observed = { null }), "SM8650").reason.orEmpty())
        assertTrue("no variant for SM8450" in measured(FakeRuntime.withNpu(), "SM8450").reason.orEmpty())
        assertTrue("the older QNN 2.40.0" in measured(FakeRuntime.withNpu(qnnVersion = "v2.40.0.1"), "SM8650").reason.orEmpty())
        val several = Bundle.open(
            TestBundle(temporary.resolve("two").toFile()).write().withVariants("SM8650")
                .withVariants("SM8650", target = "executorch-qnn", runtime = "executorch").folder,
        )
        val runtimes = listOf(FakeRuntime(), FakeRuntime.withNpu("executorch"))
        val other = TowerBenchmark(several, runtimes, FakeMachine(), device, "0.1.0", "SM8650").run(Tower.IMAGE, npu)
        assertEquals("executorch-qnn" to Status.MEASURED, other.artifact.target to other.status)
        val onCpu = TowerBenchmark(variants, listOf(FakeRuntime.withNpu()), FakeMachine(), device, "0.1.0", "SM8650").run(Tower.TEXT, settings)
        assertEquals("onnx-fp32", onCpu.artifact.scheme)
    }

    @Test
    fun `one can stop it`() {
        var asked = 0
        assertThrows(MeasurementCancelledException::class.java) {
            benchmark(FakeRuntime()).run(Tower.IMAGE, settings, cancelled = { ++asked > 3 })
        }
        assertThrows(IllegalArgumentException::class.java) { benchmark(FakeRuntime()).run(Tower.IMAGE, settings.copy(accelerator = "abacus")) }
    }
}
