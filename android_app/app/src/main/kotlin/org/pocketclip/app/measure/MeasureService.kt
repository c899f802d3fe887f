package org.pocketclip.app.measure

import android.app.Service
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Message
import android.os.Messenger
import android.os.Process
import android.os.RemoteException
import java.io.File
import java.io.IOException
import kotlin.concurrent.thread
import org.pocketclip.app.AppContainer
import org.pocketclip.core.Documents
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.worded
import org.pocketclip.machine.AndroidNpu
import org.pocketclip.machine.AndroidServices
import org.pocketclip.machine.androidDevice
import org.pocketclip.machine.installedApplication

/**
 * Carries out one measurement in the process `:measure` and ends that process, so that the next one starts afresh.
 *
 * Bound, not started: so it is as important to the system as the application that waits for it, and that one is told when
 * it dies. A request is a message [RUN]; the answers are [PROGRESS] and then [DONE] or [FAILED]. Not exported.
 */
class MeasureService : Service() {
    private val messenger by lazy { Messenger(Handler(Looper.getMainLooper(), ::take)) }

    override fun onBind(intent: Intent?): IBinder? = messenger.binder

    /** Nobody waits any more: the measurement ends with its process. */
    override fun onDestroy() {
        super.onDestroy()
        end()
    }

    private fun take(message: Message): Boolean {
        val request = message.data.getString(TEXT)
        val answers = message.replyTo
        if (message.what != RUN || request == null || answers == null) return false
        thread(name = "measurement") {
            carryOut(request) { code, text ->
                try {
                    answers.send(Message.obtain(null, code).apply { data = Bundle().apply { putString(TEXT, text) } })
                } catch (_: RemoteException) {
                    // Who asked has died, and this process goes with it.
                    end()
                }
            }
            // The runtime's threads and memory must not be there for the next one.
            end()
        }
        return true
    }

    /** Runs the request; [answer] is told how it goes and ends. */
    internal fun carryOut(request: String, answer: (code: Int, text: String) -> Unit) {
        try {
            val measurement = TowerMeasurement(
                File(filesDir, FOLDER), AppContainer.runtimes(this), LinuxMachine(AndroidServices(this)), androidDevice(this),
                installedApplication(this).version ?: "unknown", AndroidNpu.chip(),
            )
            val file = measurement.run(Documents.read(MeasureRequest.serializer(), request, "the request")) { words ->
                answer(PROGRESS, words)
            }
            answer(DONE, file.path)
        } catch (error: PocketClipException) {
            answer(FAILED, worded(error))
        } catch (error: IOException) {
            answer(FAILED, worded(error))
        }
    }

    /** Ends the process, where it is one of its own. */
    private fun end() {
        // The command line is the process's name; Android tells it in no other way before version 9.
        val name = try {
            File("/proc/self/cmdline").readText().substringBefore('\u0000')
        } catch (_: IOException) {
            return
        }
        if (name.endsWith(PROCESS)) Process.killProcess(Process.myPid())
    }

    companion object {
        /** Asks for the measurement in [TEXT], a [MeasureRequest]; answers go to `replyTo`. */
        const val RUN = 0

        const val PROGRESS = 1
        const val DONE = 2
        const val FAILED = 3

        /** Key of the request, the words or the path that a message carries. */
        const val TEXT = "text"

        /** Below the application's files. */
        const val FOLDER = "measuring"

        private const val PROCESS = ":measure"
    }
}
