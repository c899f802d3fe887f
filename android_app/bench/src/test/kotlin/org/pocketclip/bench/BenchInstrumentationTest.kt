package org.pocketclip.bench

import android.app.Instrumentation
import android.content.ComponentName
import android.content.Context
import android.os.Bundle
import java.io.File
import java.lang.reflect.Proxy
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The instrumentation as Android starts it, up to the thread that carries out the action. */
@RunWith(RobolectricTestRunner::class)
class BenchInstrumentationTest {
    private val context: Context = RuntimeEnvironment.getApplication()

    @Test
    fun `no other application can start its service`() {
        val service = context.packageManager.getServiceInfo(ComponentName(context, MeasuringService::class.java), 0)
        assertFalse(service.exported)
    }

    @Test
    fun `started with an action it carries it out on its own thread`() {
        val answer = File(mountSharedStorage(context), "facts/result.json")
        val instrumentation = BenchInstrumentation()
        attach(instrumentation)
        instrumentation.onCreate(Bundle().apply { putString("action", "facts") })
        val deadline = System.nanoTime() + 20_000_000_000
        while (!answer.isFile && System.nanoTime() < deadline) {
            shadowOf(context.mainLooper).idle()
            Thread.sleep(20)
        }
        assertTrue("no answer at $answer", answer.isFile)
    }

    /** What the activity thread does before `onCreate`; the method is the framework's own. */
    private fun attach(instrumentation: Instrumentation) {
        val init = Instrumentation::class.java.declaredMethods.single { it.name == "init" && it.parameterCount == 6 }
        init.isAccessible = true
        val thread = Class.forName("android.app.ActivityThread").getMethod("currentActivityThread").invoke(null)
        val watcher = Proxy.newProxyInstance(javaClass.classLoader, arrayOf(init.parameterTypes[4])) { _, _, _ -> null }
        init.invoke(instrumentation, thread, context, context, ComponentName(context, BenchInstrumentation::class.java), watcher, null)
    }
}
