package org.pocketclip.bench

import android.app.Activity
import android.content.Context
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.provider.Settings
import android.util.Log
import android.view.WindowManager
import java.io.IOException
import kotlin.concurrent.thread
import org.pocketclip.core.bench.FarmLoop
import org.pocketclip.core.bench.Launcher
import org.pocketclip.machine.androidDevice

/**
 * What Firebase Test Lab starts in a "game loop" test: carries out the package that it put on the phone, writes the results
 * to the address that the intent gives, and finishes.
 *
 * Exported, since another application starts it there. Anywhere but in Test Lab it does nothing. In a process of its own:
 * launches end the main one. Test Lab's phones may make the activity anew in the middle; the loop goes on.
 */
class LoopActivity : Activity() {
    private val finished = Runnable { finish() }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        if (intent?.action != TEST_LOOP || !isTestLab(this)) {
            finish()
            return
        }
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O_MR1) {
            setShowWhenLocked(true)
            setTurnScreenOn(true)
        }
        LoopRun.of(intent?.data, applicationContext).whenDone(finished)
    }

    override fun onDestroy() {
        super.onDestroy()
        LoopRun.forget(finished)
    }

    internal companion object {
        const val TEST_LOOP = "com.google.intent.action.TEST_LOOP"

        /** Whether this is a phone of Test Lab, by the setting that it makes there for applications to tell. */
        fun isTestLab(context: Context): Boolean =
            Settings.System.getString(context.contentResolver, "firebase.test.lab") == "true"
    }
}

/** The one loop of this process, whichever activity shows it. */
internal class LoopRun private constructor(
    private val address: Uri?,
    private val context: Context,
    private val launcher: Launcher,
) {
    private val main = Handler(Looper.getMainLooper())

    @Volatile
    private var done = false
    private var listener: Runnable? = null

    /** Calls [listener] on the main thread once the loop is done; only the last one that was given. */
    @Synchronized
    fun whenDone(listener: Runnable) {
        this.listener = listener
        if (done) main.post(listener)
    }

    private fun carryOut() {
        try {
            val external = BenchComponents.sharedFolder(context)
            if (external == null) {
                Log.e(TAG, "external storage is not mounted")
            } else {
                FarmLoop(external, androidDevice(context), launcher, ::publish).run()
            }
        } finally {
            ended()
        }
    }

    private fun publish(zip: ByteArray) {
        if (address == null) {
            Log.e(TAG, "the intent gives no address for results")
            return
        }
        try {
            context.contentResolver.openOutputStream(address, "wt")?.use { it.write(zip) }
        } catch (error: IOException) {
            Log.e(TAG, "the results cannot be written", error)
        } catch (error: SecurityException) {
            Log.e(TAG, "the results may not be written", error)
        }
    }

    @Synchronized
    private fun ended() {
        done = true
        listener?.let(main::post)
    }

    @Synchronized
    private fun drop(listener: Runnable) {
        if (this.listener === listener) this.listener = null
    }

    companion object {
        private const val TAG = "PocketCLIP"

        private var running: LoopRun? = null

        /** The loop of an address: the one that runs, else a new one. */
        @Synchronized
        fun of(address: Uri?, context: Context, launcher: Launcher = ServiceLauncher(context)): LoopRun {
            running?.let { if (it.address == address && !it.done) return it }
            return LoopRun(address, context, launcher).also {
                running = it
                thread(name = "loop") { it.carryOut() }
            }
        }

        /** Tells a listener nothing any more. */
        @Synchronized
        fun forget(listener: Runnable) {
            running?.drop(listener)
        }
    }
}
