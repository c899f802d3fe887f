package org.pocketclip.app

import java.io.File
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.NpuSummary
import org.pocketclip.app.measure.MeasurePresenter
import org.pocketclip.app.measure.RunState
import org.pocketclip.core.records.ArtifactIdentity
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind
import org.pocketclip.core.records.GoldenCheck
import org.pocketclip.core.records.Invalidity
import org.pocketclip.core.records.Launch
import org.pocketclip.core.records.MachineState
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.RuntimeFacts
import org.pocketclip.core.records.Status
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator

/** A record as the measuring process writes it; failed where there is a [reason]. */
fun recordFile(folder: File, reason: String? = null, invalid: List<Invalidity> = emptyList()): File {
    val state = MachineState(at = "2026-01-01T00:00:00Z", thermalStatus = 1)
    val launch = Launch(
        startedAt = state.at, loadAverage = null, importNs = 1, loadNs = 7_000_000, firstInferenceNs = 1, warmupNs = listOf(1),
        warmupStationary = true, steadyNs = List(11) { 1_000_000L * (it + 1) }, baselineBytes = 10_000_000, loadedBytes = null,
        peakBeforeLoadBytes = 11_000_000, peakBytes = 22_500_000, endBytes = null, peakReset = true, before = state, after = state,
    )
    val sha256 = "a".repeat(64)
    val record = BenchmarkRecord(
        ArtifactIdentity("fake", Tower.IMAGE, "onnx", "fp32", sha256, sha256, 1, "none", null),
        DeviceFacts("phone", DeviceKind.PHONE, "Android 15 (API 35)", "aarch64", "cpu", listOf("neon"), 8, null),
        RuntimeFacts("onnxruntime", "1", "cpu", null),
        RunSettings(),
        if (reason == null) Status.MEASURED else Status.FAILED,
        reason,
        listOf(launch).takeIf { reason == null }.orEmpty(),
        parity = null,
        goldenCheck = GoldenCheck(1, 1.0, 0.0, 1.0),
        agentSha256 = null, toolVersion = "0.1.0", recordId = "id", createdAt = state.at, invalid = invalid,
    )
    return File(folder, "id.json").apply { writeText(record.toJson()) }
}

@OptIn(ExperimentalCoroutinesApi::class)
class MeasurePresenterTest {
    @get:Rule
    val folder = TemporaryFolder()

    private var offered: (String) -> List<Accelerator> = { listOf(Accelerator.CPU, Accelerator.XNNPACK) }
    private val measurer = FakeMeasurer()
    private val bundle = MutableStateFlow<BundleState>(BundleState.Ready(FakeEngine()))

    private fun presenting(test: suspend TestScope.(MeasurePresenter) -> Unit) = runTest(UnconfinedTestDispatcher()) {
        val presenter = MeasurePresenter(
            backgroundScope, UnconfinedTestDispatcher(testScheduler), bundle, { folder.root },
            { offered(it) }, measurer, debugBuild = false,
        )
        test(presenter)
    }

    @Test
    fun `the chosen towers are measured one after the other`() = presenting { presenter ->
        presenter.setAccelerator(Accelerator.XNNPACK)
        presenter.setThreads(2)
        presenter.run()
        assertEquals(RunState.Running(Tower.IMAGE, null), presenter.state.value.run)
        measurer.say("loaded; warming up")
        assertEquals(RunState.Running(Tower.IMAGE, "loaded; warming up"), presenter.state.value.run)
        measurer.answer.complete(recordFile(folder.root))
        assertEquals(listOf(Tower.IMAGE, Tower.TEXT), measurer.requests.map { it.tower })
        assertEquals(setOf("xnnpack" to 2), measurer.requests.map { it.settings.accelerator to it.settings.threads }.toSet())
        val row = presenter.state.value.rows.first()
        assertEquals(6e6, row.p50Ns, 0.0)
        assertEquals(10e6, row.p90Ns, 0.0)
        assertEquals(7_000_000L, row.loadNs)
        assertEquals(12_500_000L, row.peakBytes)
        assertEquals(1, row.thermalStatus)
        assertNull("nothing is claimed that the runtime does not say", row.acceleratorObserved)
        assertEquals(RunState.Idle, presenter.state.value.run)
    }

    @Test
    fun `where nothing is chosen, each runtime is measured with what it is meant for`() = presenting { presenter ->
        presenter.run()
        assertEquals("cpu", measurer.requests.single().settings.accelerator)
        offered = { listOf(Accelerator.XNNPACK, Accelerator.CPU) }
        bundle.value = BundleState.Ready(FakeEngine(sha256 = "b".repeat(64)))
        assertNull(presenter.state.value.accelerator)
        presenter.run()
        assertEquals("xnnpack", measurer.requests.last().settings.accelerator)
        presenter.cancel()
        presenter.setAccelerator(Accelerator.XNNPACK)
        offered = { listOf(Accelerator.CPU) }
        bundle.value = BundleState.Ready(FakeEngine(sha256 = "c".repeat(64)))
        assertNull("what is not offered any more is not asked for", presenter.state.value.accelerator)
    }

    @Test
    fun `the NPU is offered where the bundle has something for it, and nowhere else`() = presenting { presenter ->
        offered = { listOf(Accelerator.CPU, Accelerator.NPU) }
        val engine = FakeEngine(sha256 = "d".repeat(64))
        val fake = engine.summary
        engine.summary = fake.copy(
            image = fake.image.copy(npu = NpuSummary("SM8650", "litert", "w8a16-static", 2)),
            text = fake.text.copy(whyNotNpu = "its values are wrong on this phone"),
        )
        bundle.value = BundleState.Ready(engine)
        val (image, text) = presenter.state.value.choices
        assertEquals(listOf(Accelerator.NPU, Accelerator.CPU), image.accelerators)
        assertEquals("litert" to "w8a16-static", image.measured(null))
        assertEquals("onnxruntime" to "fp32", image.measured(Accelerator.CPU))
        assertEquals(listOf(Accelerator.CPU), text.accelerators)
        presenter.run()
        assertEquals("npu", measurer.requests.single().settings.accelerator)
    }

    @Test
    fun `a failed record ends the run with its reason, and rows before it are kept`() = presenting { presenter ->
        presenter.choose(Tower.TEXT, false)
        measurer.answer.complete(recordFile(folder.root))
        presenter.run()
        measurer.answer = CompletableDeferred(recordFile(folder.newFolder(), "onnxruntime refuses it"))
        presenter.run()
        assertEquals(RunState.Failed("onnxruntime refuses it"), presenter.state.value.run)
        assertEquals(1, presenter.state.value.rows.size)
    }

    @Test
    fun `a second run does not begin while one is under way, and a cancelled one ends`() = presenting { presenter ->
        presenter.run()
        presenter.run()
        assertEquals(1, measurer.requests.size)
        presenter.cancel()
        assertEquals(RunState.Idle, presenter.state.value.run)
        measurer.answer.complete(recordFile(folder.root))
        assertTrue(presenter.state.value.rows.isEmpty())
    }

    @Test
    fun `a result that is none is a failure in words`() = presenting { presenter ->
        val file = folder.newFile().apply { writeText("{\"half") }
        measurer.answer.complete(file)
        presenter.run()
        assertTrue(file.name in (presenter.state.value.run as RunState.Failed).message)
    }
}
