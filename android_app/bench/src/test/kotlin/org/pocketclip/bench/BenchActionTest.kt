package org.pocketclip.bench

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.content.pm.ApplicationInfo
import android.os.BatteryManager
import android.os.Bundle
import android.os.PowerManager
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bench.Answer
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.AppFacts
import org.pocketclip.core.records.FailureCode
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowEnvironment

/** The protocol's actions in an Android application, with real inference by ONNX Runtime's desktop library. */
@RunWith(RobolectricTestRunner::class)
class BenchActionTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val external = mountSharedStorage(context)
    private val said = mutableListOf<String>()

    @Before
    fun releaseBuildOnACharger() {
        context.applicationInfo.flags = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE.inv()
        battery(percent = 80, plugged = BatteryManager.BATTERY_PLUGGED_USB)
    }

    @Test
    fun `without storage there is no answer but the reason`() {
        ShadowEnvironment.reset()
        val result = Bundle()
        assertEquals(Activity.RESULT_CANCELED, action().carryOut(arguments("facts"), result))
        assertTrue("external storage is not mounted" in result.getString(Answer.ERROR)!!)
    }

    @Test
    fun `the folder is the one that the harness writes to on this version of Android`() {
        assertTrue("$external", external.path.endsWith("Android/media/${context.packageName}"))
    }

    @Test
    fun `facts are written whole and announced with length and hash`() {
        val answer = carryOut("facts")
        val file = File(external, "facts/result.json")
        assertEquals("${file.length()} ${Hashing.sha256(file)}", answer)
        val facts = Documents.read(AppFacts.serializer(), file.readText(), file.name)
        assertEquals("0.1.0", facts.appVersion)
        assertEquals("Android 15 (API 35)", facts.platform)
        assertEquals(setOf("executorch", "onnxruntime", "litert"), facts.runtimes.keys)
        assertEquals("onnxruntime 1.23.2", facts.runtimes["onnxruntime"])
        // Their native libraries are for Android: here they are missing, and that is what is said.
        assertNull(facts.runtimes["executorch"])
        assertNull(facts.runtimes["litert"])
        assertFalse("litert" in facts.accelerators)
        assertEquals(false, facts.debuggable)
    }

    @Test
    fun `without an action, or with an unknown one, nothing is done and the code is that of a crash`() {
        for (arguments in listOf(Bundle(), arguments("burn"), arguments("measure"), arguments("measure", "../job.json"))) {
            val result = Bundle()
            assertEquals(Activity.RESULT_CANCELED, action().carryOut(arguments, result))
            assertNotNull(result.getString(Answer.ERROR))
            assertNull(result.getString("pocketclip"))
        }
    }

    @Test
    fun `a model is staged, measured by real inference and forgotten`() {
        val staged = NanoTower.stage(external)
        carryOut("stage", staged.stageRequest)
        assertTrue(File(context.filesDir, "models/${staged.identity}").isDirectory)
        carryOut("measure", staged.job("nano-1"))
        val result = result("nano-1")
        assertNull("${result.failure}", result.failure)
        assertEquals("onnxruntime 1.23.2", result.runtimeVersion)
        val launch = result.launch!!
        assertTrue(launch.steadyNs.size >= 3 && launch.steadyNs.all { it > 0 })
        assertEquals(80, launch.before!!.batteryPercent)
        assertEquals(true, launch.before!!.charging)
        assertTrue("blocks in between", launch.during.isNotEmpty())
        assertEquals(Hashing.sha256(File(external, "nano-1/outputs.bin")), result.outputs!!.sha256)
        assertTrue(said.isNotEmpty())
        carryOut("forget", staged.forgetRequest)
        assertFalse(File(context.filesDir, "models/${staged.identity}").exists())
    }

    @Test
    fun `a phone that is not fit is refused with the code of what is wrong`() {
        val staged = NanoTower.stage(external)
        carryOut("stage", staged.stageRequest)
        val power = shadowOf(context.getSystemService(Context.POWER_SERVICE) as PowerManager)

        battery(percent = 19, plugged = 0)
        assertEquals(FailureCode.LOW_BATTERY, failure(staged, "low"))
        battery(percent = 19, plugged = BatteryManager.BATTERY_PLUGGED_AC)

        power.setIsPowerSaveMode(true)
        assertEquals(FailureCode.POWER_SAVER, failure(staged, "saver"))
        power.setIsPowerSaveMode(false)

        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_MODERATE)
        assertEquals(FailureCode.THERMAL, failure(staged, "warm"))
        power.setCurrentThermalStatus(PowerManager.THERMAL_STATUS_LIGHT)

        context.applicationInfo.flags = context.applicationInfo.flags or ApplicationInfo.FLAG_DEBUGGABLE
        assertEquals(FailureCode.DEBUGGABLE, failure(staged, "debug"))
        context.applicationInfo.flags = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE.inv()

        assertNull("fit again", failure(staged, "fit"))
    }

    @Test
    fun `a throughput is measured in the foreground, and only of photographs that were pushed`() {
        val staged = NanoTower.stage(external)
        carryOut("stage", staged.stageRequest)
        said.clear()
        carryOut("throughput", staged.throughputJob("fast"))
        val result = result("fast")
        assertEquals(FailureCode.MODEL_ALTERED, result.failure?.code)
        assertTrue("${result.failure}", "fast/0.jpg was not pushed" in result.failure!!.message)
        assertTrue("$said", said.single().startsWith("the foreground service is not up"))
        assertFalse(File(context.filesDir, "photos").exists())
    }

    private fun failure(staged: NanoTower, name: String): FailureCode? {
        carryOut("measure", staged.job(name))
        return result(name).failure?.code
    }

    private fun result(name: String): AgentResult {
        val file = File(external, "$name/result.json")
        return Documents.read(AgentResult.serializer(), file.readText(), file.name)
    }

    private fun battery(percent: Int, plugged: Int) {
        @Suppress("DEPRECATION")
        context.sendStickyBroadcast(
            Intent(Intent.ACTION_BATTERY_CHANGED)
                .putExtra(BatteryManager.EXTRA_LEVEL, percent)
                .putExtra(BatteryManager.EXTRA_SCALE, 100)
                .putExtra(BatteryManager.EXTRA_PLUGGED, plugged),
        )
    }

    private fun carryOut(action: String, request: String? = null): String {
        val result = Bundle()
        val code = action().carryOut(arguments(action, request), result)
        assertEquals(result.getString(Answer.ERROR), Activity.RESULT_OK, code)
        return result.getString("pocketclip")!!
    }

    // Robolectric starts no services: what has to be waited for on a phone is not there.
    private fun action() = BenchAction(context, said::add, serviceWaitMs = 1)

    private fun arguments(action: String, request: String? = null) = Bundle().apply {
        putString("action", action)
        request?.let { putString("request", it) }
    }
}
