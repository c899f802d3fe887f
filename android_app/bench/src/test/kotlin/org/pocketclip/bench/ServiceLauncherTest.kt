package org.pocketclip.bench

import android.app.ActivityManager
import android.content.ComponentName
import android.content.Context
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Messenger
import java.util.concurrent.CompletableFuture
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.core.bench.LaunchEnd
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowActivityManager.ApplicationExitInfoBuilder

/** What a loop hears of a launch's process, whatever becomes of it; the process itself is a phone's. */
@RunWith(RobolectricTestRunner::class)
class ServiceLauncherTest {
    private val application get() = RuntimeEnvironment.getApplication()
    private val name get() = ComponentName(application, LaunchService::class.java)

    private fun serve(binder: IBinder?) = shadowOf(application).setComponentNameAndServiceForBindService(name, binder)

    private fun launch(limitMs: Long = 20_000, meanwhile: () -> Unit = {}): LaunchEnd {
        val found = CompletableFuture.supplyAsync {
            ServiceLauncher(application, endMs = 10).launch("facts", null, null, limitMs)
        }
        while (shadowOf(application).boundServiceConnections.isEmpty() && !found.isDone) Thread.sleep(5)
        shadowOf(Looper.getMainLooper()).idle()
        meanwhile()
        while (!found.isDone) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        assertEquals("it is let go of", 1, shadowOf(application).unboundServiceConnections.size)
        return found.get()
    }

    private fun silent() = serve(Messenger(Handler(Looper.getMainLooper()) { true }).binder)

    @Test
    fun `the answer's announcement comes back`() {
        val external = mountSharedStorage(application)
        serve(Robolectric.buildService(LaunchService::class.java).create().get().onBind(null))
        val end = launch() as LaunchEnd.Answered
        assertTrue(end.value, Regex("[0-9]+ [0-9a-f]{64}").matches(end.value))
        assertTrue(external.resolve("facts/result.json").isFile)
    }

    @Test
    fun `what cannot be answered has a reason`() {
        val service = Robolectric.buildService(LaunchService::class.java).create().get()
        val message = service.carryOut(Bundle().apply { putString(BenchAction.ACTION, "burn") }, serviceWaitMs = 1)
        assertEquals(LaunchService.FAILED, message.what)
        assertTrue(message.data.getString(LaunchService.TEXT).orEmpty().isNotEmpty())
    }

    @Test
    fun `a process that dies is noticed at once, with what the system says of it`() {
        val manager = application.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
        shadowOf(manager).addApplicationExitInfo(
            ApplicationExitInfoBuilder.newBuilder().setPid(7).setReason(3).setStatus(9).setDescription("low\nmemory").build(),
        )
        silent()
        val end = launch { shadowOf(application).boundServiceConnections.single().onServiceDisconnected(name) } as LaunchEnd.Died
        assertTrue(end.exits, "pid=7 reason=3 (LOW_MEMORY) subreason=0 status=9" in end.exits)
        assertTrue(end.exits, "description=low memory" in end.exits)
    }

    @Test
    fun `one that says nothing is not waited for without end`() {
        silent()
        assertEquals(LaunchEnd.TimedOut, launch(limitMs = 50))
    }

    @Test
    fun `where the system starts none, it is said`() {
        shadowOf(application).declareComponentUnbindable(name)
        assertTrue("starts no process" in (launch() as LaunchEnd.Refused).reason)
    }

    @Test
    fun `no other application can start it`() {
        assertFalse(application.packageManager.getServiceInfo(name, 0).exported)
    }
}
