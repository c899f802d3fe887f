package org.pocketclip.app

import android.content.ComponentName
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Messenger
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.measure.MeasureRequest
import org.pocketclip.app.measure.MeasureService
import org.pocketclip.app.measure.ProcessMeasurer
import org.pocketclip.core.Documents
import org.pocketclip.core.MachineException
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Tower
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** What the application hears of the measuring process, whatever becomes of it; the process itself is a phone's. */
@OptIn(ExperimentalCoroutinesApi::class)
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class ProcessMeasurerTest {
    private val application get() = RuntimeEnvironment.getApplication()
    private val name get() = ComponentName(application, MeasureService::class.java)
    private val words = mutableListOf<String>()

    private fun serve(binder: IBinder?) = shadowOf(application).setComponentNameAndServiceForBindService(name, binder)

    private fun serve() = serve(Robolectric.buildService(MeasureService::class.java).create().get().onBind(null))

    private fun measure(bundle: File, limitMs: Long = 60_000, meanwhile: () -> Unit = {}): Result<File> {
        val measurer = ProcessMeasurer(application, limitMs, endMs = 10)
        val request = MeasureRequest(bundle.path, Tower.IMAGE, RunSettings(iterations = 3))
        val found = CoroutineScope(Dispatchers.Unconfined).async { runCatching { measurer.measure(request) { words += it } } }
        shadowOf(Looper.getMainLooper()).idle()
        meanwhile()
        while (!found.isCompleted) {
            shadowOf(Looper.getMainLooper()).idle()
            Thread.sleep(5)
        }
        assertEquals("it is let go of", 1, shadowOf(application).unboundServiceConnections.size)
        return found.getCompleted()
    }

    private fun failure(found: Result<File>): String = (found.exceptionOrNull() as MachineException).message!!

    @Test
    fun `the record of a real tower comes back, with words on the way`() {
        serve()
        val file = measure(RealBundle.folder).getOrThrow()
        assertNull(Documents.read(BenchmarkRecord.serializer(), file.readText(), file.path).reason)
        assertTrue("$words", words.isNotEmpty())
    }

    @Test
    fun `what goes wrong there is said here`() {
        serve()
        assertTrue("BundleMissingException" in failure(measure(File("/nowhere"))))
    }

    @Test
    fun `a process that dies is noticed at once`() {
        serve(Messenger(Handler(Looper.getMainLooper()) { true }).binder)
        val found = measure(RealBundle.folder) {
            shadowOf(application).boundServiceConnections.single().onServiceDisconnected(name)
        }
        assertTrue("the measuring process died" in failure(found))
    }

    @Test
    fun `one that says nothing is not waited for without end`() {
        serve(Messenger(Handler(Looper.getMainLooper()) { true }).binder)
        assertTrue("gave no answer" in failure(measure(RealBundle.folder, limitMs = 50)))
    }

    @Test
    fun `where the system starts none, it is said`() {
        shadowOf(application).declareComponentUnbindable(name)
        assertTrue("starts no process" in failure(measure(RealBundle.folder)))
    }
}
