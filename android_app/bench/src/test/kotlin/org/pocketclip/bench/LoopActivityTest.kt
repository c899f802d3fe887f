package org.pocketclip.bench

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Looper
import android.provider.Settings
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.zip.ZipEntry
import java.util.zip.ZipInputStream
import java.util.zip.ZipOutputStream
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.core.bench.FarmLoop
import org.pocketclip.core.bench.LaunchEnd
import org.pocketclip.core.bench.Launcher
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** What Firebase Test Lab starts, up to the processes of the launches. */
@RunWith(RobolectricTestRunner::class)
class LoopActivityTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val address = Uri.parse("content://companion/results_scenario_1.json")
    private val written = ByteArrayOutputStream()
    private val intent = Intent("com.google.intent.action.TEST_LOOP").setDataAndType(address, "application/javascript")
        .setComponent(ComponentName(context, LoopActivity::class.java)).putExtra("scenario", 1)

    private fun inTestLab() = Settings.System.putString(context.contentResolver, "firebase.test.lab", "true")

    private fun pack(external: File) = ZipOutputStream(File(external, FarmLoop.PACKAGE).outputStream()).use {
        it.putNextEntry(ZipEntry("loop.json"))
        it.write("""{"loop_version":1,"token":"t","limit_seconds":5,"rest_seconds":0,"launches":[]}""".toByteArray())
        it.closeEntry()
    }

    private fun results(): Map<String, String> = ZipInputStream(ByteArrayInputStream(written.toByteArray())).use { archive ->
        generateSequence { archive.nextEntry }.associate { it.name to archive.readBytes().decodeToString() }
    }

    private fun waitUntil(done: () -> Boolean) {
        val deadline = System.nanoTime() + 20_000_000_000
        while (!done() && System.nanoTime() < deadline) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        assertTrue("in time", done())
    }

    @Test
    fun `the filter is the one that Test Lab looks for, and its process is another than that of the launches`() {
        val found = context.packageManager.queryIntentActivities(Intent(intent).setComponent(null).setPackage(context.packageName), 0)
        val activity = found.single().activityInfo
        assertEquals(LoopActivity::class.java.name, activity.name)
        assertTrue(activity.exported)
        assertEquals("${context.packageName}:loop", activity.processName)
        val service = context.packageManager.getServiceInfo(ComponentName(context, LaunchService::class.java), 0)
        assertEquals(context.packageName, service.processName)
    }

    @Test
    fun `anywhere but in Test Lab it does nothing`() {
        mountSharedStorage(context).also(::pack)
        shadowOf(context.contentResolver).registerOutputStream(address, written)
        val activity = Robolectric.buildActivity(LoopActivity::class.java, intent).create().get()
        assertTrue(activity.isFinishing)
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals(0, written.size())
    }

    @Test
    fun `another action is none for it, in Test Lab too`() {
        inTestLab()
        val other = Intent(intent).setAction(Intent.ACTION_VIEW)
        assertTrue(Robolectric.buildActivity(LoopActivity::class.java, other).create().get().isFinishing)
    }

    @Test
    fun `in Test Lab it carries out the package, also made anew in the middle, and finishes`() {
        inTestLab()
        mountSharedStorage(context).also(::pack)
        shadowOf(context.contentResolver).registerOutputStreamSupplier(address) { written.apply { reset() } }
        val release = CountDownLatch(1)
        var starts = 0
        // Begun with a launcher of the test's; the activity goes on with what runs.
        LoopRun.of(
            address, context,
            Launcher { _, _, _, _ ->
                starts += 1
                release.await()
                LaunchEnd.Refused("not here")
            },
        )
        val first = Robolectric.buildActivity(LoopActivity::class.java, intent).create()
        first.destroy()
        val second = Robolectric.buildActivity(LoopActivity::class.java, intent).create()
        shadowOf(Looper.getMainLooper()).idle()
        assertFalse(second.get().isFinishing)
        release.countDown()
        waitUntil { second.get().isFinishing }
        assertFalse("the first was let go of", first.get().isFinishing)
        assertEquals(1, starts)
        val results = results()
        assertTrue("not here" in results.getValue("pocketclip-out/facts/said.txt"))
        assertTrue("pocketclip-out/device.json" in results)
    }

    @Test
    fun `without an address, or without storage, it finishes all the same`() {
        inTestLab()
        val activity = Robolectric.buildActivity(LoopActivity::class.java, Intent(intent).setData(null)).create().get()
        waitUntil { activity.isFinishing }
    }
}
