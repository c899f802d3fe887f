package org.pocketclip.app

import android.app.Notification
import android.app.NotificationManager
import android.content.Context
import android.os.Looper
import java.time.Duration
import kotlinx.coroutines.CompletableDeferred
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.pocketclip.app.background.WorkService
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.measure.RunState
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ServiceController
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowPowerManager

/** What keeps the process going while another application is in front. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class WorkServiceTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val application get() = RuntimeEnvironment.getApplication() as TestApplication
    private val container get() = application.container
    private val notification: Notification
        get() = shadowOf(application.getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager).allNotifications.single()

    private fun idle() = shadowOf(Looper.getMainLooper()).idle()

    @Before
    fun open() {
        container.start()
        container.bundles.import(BundleSource.Zip { RealBundle.zip(temporary.newFile()).inputStream() })
        container.photoFolder.photos = listOf("red", "green").map { FolderPhoto("file:///none/$it", "$it.jpg", 1) }
        container.engine.gate = CompletableDeferred()
        idle()
        assertNull("nothing to do, no service", shadowOf(application).nextStartedService)
    }

    /** The service as the system would start it; it was asked for. */
    private fun started(): ServiceController<WorkService> {
        idle()
        val asked = shadowOf(application).nextStartedService
        assertEquals(WorkService::class.java.name, asked.component!!.className)
        return Robolectric.buildService(WorkService::class.java, asked).create().startCommand(0, 1).also { idle() }
    }

    /** Presses the only button of the notification. */
    private fun press(service: ServiceController<WorkService>) {
        service.get().onStartCommand(shadowOf(notification.actions.single().actionIntent).savedIntent, 0, 2)
        idle()
    }

    @Test
    fun `it says how far indexing is, and stops with it`() {
        container.search.chooseFolder("content://folder")
        val service = started()
        assertEquals("Photos are indexed on this phone", notification.extras.getString(Notification.EXTRA_TITLE))
        assertEquals("0 of 2 photos", notification.extras.getString(Notification.EXTRA_TEXT))
        assertEquals(2, notification.extras.getInt(Notification.EXTRA_PROGRESS_MAX))
        assertFalse(shadowOf(service.get()).isStoppedBySelf)
        container.engine.gate!!.complete(Unit)
        idle()
        assertEquals(IndexState.Complete(IndexProgress(2, 2, 0)), container.search.state.value.index)
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
    }

    @Test
    fun `the processor stays awake while there is work, and no longer`() {
        container.search.chooseFolder("content://folder")
        val service = started()
        val lock = ShadowPowerManager.getLatestWakeLock()
        assertTrue(lock.isHeld)
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMinutes(11))
        assertFalse("what hangs does not keep it awake", lock.isHeld)
        val first = container.engine.gate!!
        container.engine.gate = CompletableDeferred()
        first.complete(Unit)
        idle()
        assertEquals("1 of 2 photos", notification.extras.getString(Notification.EXTRA_TEXT))
        assertTrue("each step begins anew", lock.isHeld)
        press(service)
        service.destroy()
        assertFalse(lock.isHeld)
    }

    @Test
    fun `its button ends the work, which can be gone on with`() {
        container.search.chooseFolder("content://folder")
        val service = started()
        press(service)
        assertEquals(IndexState.Paused(IndexProgress(0, 2, 0)), container.search.state.value.index)
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
        container.engine.gate!!.complete(Unit)
        container.search.resume()
        assertEquals(IndexState.Complete(IndexProgress(2, 2, 0)), container.search.state.value.index)
    }

    @Test
    fun `when the system's time for such services is over, the work is paused`() {
        container.search.chooseFolder("content://folder")
        val service = started()
        service.get().onTimeout(1, 0)
        idle()
        assertEquals(IndexState.Paused(IndexProgress(0, 2, 0)), container.search.state.value.index)
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
    }

    @Test
    fun `a measurement is shown and ended in the same way`() {
        container.measure.run()
        val service = started()
        assertEquals("A tower is measured", notification.extras.getString(Notification.EXTRA_TITLE))
        assertEquals("Image tower", notification.extras.getString(Notification.EXTRA_TEXT))
        press(service)
        assertEquals(RunState.Idle, container.measure.state.value.run)
        assertTrue(shadowOf(service.get()).isStoppedBySelf)
    }
}
