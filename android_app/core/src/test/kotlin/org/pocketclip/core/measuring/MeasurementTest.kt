package org.pocketclip.core.measuring

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.InferenceException
import org.pocketclip.core.MachineException
import org.pocketclip.core.MeasurementCancelledException
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.testing.FakeClocks
import org.pocketclip.core.testing.FakeMachine
import org.pocketclip.core.testing.FakeRuntime

class MeasurementTest {
    @TempDir
    lateinit var temporary: Path
    private val model: ModelFile by lazy {
        ModelFile(temporary.resolve("model.onnx").toFile().also { FakeRuntime.writeModel(File(it.path)) })
    }
    private val inputs = List(3) { Tensor.of(FloatArray(4) { value -> (it + value).toFloat() }, listOf(1, 4)) }
    private val clocks = FakeClocks()

    private fun plan(iterations: Int = 10, seconds: Double = 0.0, sustained: Double? = null, cores: List<Int>? = null, rule: WarmupRule = WarmupRule()) =
        MeasuringPlan(model, inputs, LoadOptions(), rule, iterations, seconds, sustained, cores)

    /** Inferences take what `durations` say, in nanoseconds. */
    private fun taking(durations: (Int) -> Long) = FakeRuntime(beforeRun = { clocks.now += durations(it) })

    @Test
    fun `everything is timed apart and in order`() {
        val runtime = taking { if (it == 0) 900L else 100L }
        val words = mutableListOf<String>()
        val machine = FakeMachine()
        val measured = Measurement(runtime, machine, clocks, { words += it }).run(plan(cores = listOf(1)))
        val launch = measured.launch
        assertEquals(900, launch.firstInferenceNs)
        assertEquals(List(15) { 100L }, launch.warmupNs)
        assertTrue(launch.warmupStationary)
        assertEquals(List(10) { 100L }, launch.steadyNs)
        assertEquals(listOf(1), machine.keptTo)
        assertEquals(listOf("loaded; warming up", "measuring"), words)
        assertEquals(1, launch.during.size)
        assertEquals(2, runtime.loads)
        assertEquals(0, runtime.open)
        assertEquals(0L, launch.clockJumpNs)
        assertEquals(0.5, launch.othersBusyCores)
        assertTrue(launch.fileCacheDropped && launch.peakReset)
        assertNotNull(launch.reloadNs)
        assertEquals(1000L, launch.baselineBytes)
        assertTrue(checkNotNull(launch.peakOverBaselineBytes) > 0)
        assertEquals("onnxruntime 9.9", measured.runtimeVersion)
        assertEquals("fake", measured.acceleratorObserved)
        inputs.zip(measured.outputs).forEach { (input, output) -> assertEquals(FakeRuntime.formula(input).toList(), output.toList()) }
    }

    @Test
    fun `warm-up ends where windows agree, or at its limits`() {
        // Windows of 5 with medians 100, 80, 59, 58, 57: the last three are within 5 %.
        val medians = listOf(100L, 80L, 59L, 58L, 57L)
        val settling = taking { if (it == 0) 1 else medians.getOrElse((it - 1) / 5) { 57L } }
        val launch = Measurement(settling, FakeMachine(), clocks).run(plan()).launch
        assertEquals(25, launch.warmupNs.size)
        assertTrue(launch.warmupStationary)
        val never = taking { if (it / 5 % 2 == 0) 100 else 200 }
        val restless = Measurement(never, FakeMachine(), clocks).run(plan(rule = WarmupRule(maximumIterations = 42))).launch
        assertEquals(45, restless.warmupNs.size)
        assertFalse(restless.warmupStationary)
        val slow = taking { 3_000_000_000L + it % 2 * 1_000_000_000L * (it / 5 % 2) }
        val timed = Measurement(slow, FakeMachine(), clocks).run(plan(iterations = 1, rule = WarmupRule(maximumSeconds = 10.0))).launch
        assertEquals(5, timed.warmupNs.size)
    }

    @Test
    fun `steady inferences last as long as wanted and a state is noted each second`() {
        val runtime = taking { 300_000_000 }
        val seen = mutableListOf<Boolean>()
        val machine = FakeMachine()
        val launch = Measurement(runtime, machine, clocks, watcher = { _, sustained -> seen += sustained }).run(plan(iterations = 2, seconds = 3.0)).launch
        assertEquals(10, launch.steadyNs.size)
        // After the fourth, the eighth, and at the end.
        assertEquals(3, launch.during.size)
        assertEquals(listOf(false, false, false), seen)
        assertEquals(5, machine.states)
    }

    @Test
    fun `a sustained run is kept by the minute`() {
        val runtime = taking { 10_000_000_000L }
        val words = mutableListOf<String>()
        val launch = Measurement(runtime, FakeMachine(), clocks, { words += it }).run(plan(iterations = 1, sustained = 130.0, rule = WarmupRule(maximumIterations = 1))).launch
        assertEquals(listOf(6, 6, 1), launch.minutes.map { it.steadyNs.size })
        assertEquals("sustained: minute 3", words.last())
    }

    @Test
    fun `a wall clock that is set shows`() {
        val runtime = FakeRuntime(beforeRun = { if (it == 20) clocks.wallJumpNs += 5_000_000_000L })
        assertEquals(5_000_000_000L, Measurement(runtime, FakeMachine(), clocks).run(plan()).launch.clockJumpNs)
    }

    @Test
    fun `inputs that no inference met are run at the end`() {
        val many = List(40) { Tensor.of(floatArrayOf(it.toFloat()), listOf(1, 1)) }
        val plan = MeasuringPlan(model, many, LoadOptions(), iterations = 1)
        val runtime = FakeRuntime()
        assertEquals(40, Measurement(runtime, FakeMachine(), clocks).run(plan).outputs.size)
        assertEquals(40, runtime.inferences)
    }

    @Test
    fun `failures end a measurement and close the model`() {
        val broken = FakeRuntime(beforeRun = FakeRuntime.failing(at = 18))
        assertThrows(InferenceException::class.java) { Measurement(broken, FakeMachine(), clocks).run(plan()) }
        assertEquals(0, broken.open)
        val odd = FakeRuntime(alter = { values, count -> if (count == 20) values.also { it[0] = Float.NEGATIVE_INFINITY } else values })
        val error = assertThrows(NonFiniteException::class.java) { Measurement(odd, FakeMachine(), clocks).run(plan()) }
        assertTrue("sample 2" in error.message.orEmpty(), error.message)
        assertThrows(MachineException::class.java) { Measurement(FakeRuntime(), FakeMachine(), clocks).run(plan(cores = listOf(9))) }
        val stopped = FakeRuntime()
        assertThrows(MeasurementCancelledException::class.java) {
            Measurement(stopped, FakeMachine(), clocks, cancelled = { stopped.inferences == 17 }).run(plan())
        }
        assertEquals(0, stopped.open)
        assertThrows(IllegalArgumentException::class.java) { MeasuringPlan(model, emptyList(), LoadOptions()) }
        assertThrows(IllegalArgumentException::class.java) { MeasuringPlan(model, inputs, LoadOptions(), iterations = 0) }
    }

    @Test
    fun `this machine's clocks go on together`() {
        val before = Clocks.System.wallNs() - Clocks.System.nanoTime()
        Thread.sleep(20)
        val after = Clocks.System.wallNs() - Clocks.System.nanoTime()
        assertTrue(Math.abs(after - before) < 100_000_000L)
    }
}
