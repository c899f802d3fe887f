package org.pocketclip.bench

import android.content.Context
import android.os.PowerManager
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowPowerManager

@RunWith(RobolectricTestRunner::class)
class MeasuringServiceTest {
    private val context: Context = RuntimeEnvironment.getApplication()

    @Test
    fun `while it is up the phone stays awake and the user is told`() {
        val service = Robolectric.buildService(MeasuringService::class.java).create()
        assertNotNull(shadowOf(service.get()).lastForegroundNotification)
        val lock: PowerManager.WakeLock = ShadowPowerManager.getLatestWakeLock()
        assertTrue(lock.isHeld)
        service.destroy()
        assertFalse(lock.isHeld)
    }

    @Test
    fun `it is started before the measurement and stopped after it, also where that fails`() {
        val told = mutableListOf<String>()
        val value = MeasuringService.during(context, told::add, waitMs = 1) { 42 }
        assertEquals(42, value)
        val application = shadowOf(RuntimeEnvironment.getApplication())
        assertEquals(MeasuringService::class.java.name, application.nextStartedService.component!!.className)
        assertEquals(MeasuringService::class.java.name, application.nextStoppedService.component!!.className)
        // Robolectric starts no services, which is told and hinders nothing.
        assertEquals(listOf("the foreground service is not up after 1 ms"), told)
        val failed = runCatching { MeasuringService.during(context, told::add, waitMs = 1) { error("failed") } }
        assertTrue(failed.isFailure)
        assertNotNull(application.nextStoppedService)
    }
}
