package org.pocketclip.app.measure

import android.app.Service
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.os.IBinder
import android.os.Process
import android.os.ResultReceiver
import java.io.File
import kotlin.concurrent.thread
import org.pocketclip.app.AppContainer
import org.pocketclip.core.Documents
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.worded
import org.pocketclip.machine.AndroidServices
import org.pocketclip.machine.androidDevice
import org.pocketclip.machine.installedApplication

/**
 * Carries out one measurement in the process `:measure` and ends that process, so that the next one starts afresh. Not
 * exported.
 */
class MeasureService : Service() {
    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val receiver = intent?.let(::receiver)
        val request = intent?.getStringExtra(REQUEST)
        if (receiver == null || request == null) {
            stopSelf(startId)
            return START_NOT_STICKY
        }
        thread(name = "measurement") {
            carryOut(request, receiver)
            // And with it the process: the runtime's threads and memory must not be there for the next one.
            stopSelf(startId)
        }
        return START_NOT_STICKY
    }

    /** Stopped from outside while it measures: the measurement ends with its process. */
    override fun onDestroy() {
        super.onDestroy()
        if (ownProcess()) Process.killProcess(Process.myPid())
    }

    /** Runs the request and tells the receiver how it ended. */
    internal fun carryOut(request: String, receiver: ResultReceiver) {
        try {
            val measurement = TowerMeasurement(
                File(filesDir, FOLDER), AppContainer.runtimes(), LinuxMachine(AndroidServices(this)), androidDevice(this),
                installedApplication(this).version ?: "unknown",
            )
            val file = measurement.run(Documents.read(MeasureRequest.serializer(), request, "the request")) { words ->
                receiver.send(PROGRESS, Bundle().apply { putString(TEXT, words) })
            }
            receiver.send(DONE, Bundle().apply { putString(TEXT, file.path) })
        } catch (error: PocketClipException) {
            receiver.send(FAILED, Bundle().apply { putString(TEXT, worded(error)) })
        } catch (error: java.io.IOException) {
            receiver.send(FAILED, Bundle().apply { putString(TEXT, worded(error)) })
        }
    }

    private fun receiver(intent: Intent): ResultReceiver? =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            intent.getParcelableExtra(RECEIVER, ResultReceiver::class.java)
        } else {
            @Suppress("DEPRECATION")
            intent.getParcelableExtra(RECEIVER)
        }

    private fun ownProcess(): Boolean =
        Build.VERSION.SDK_INT >= Build.VERSION_CODES.P && android.app.Application.getProcessName().endsWith(PROCESS)

    companion object {
        const val REQUEST = "request"
        const val RECEIVER = "receiver"

        /** Key of the words or the path that a message carries. */
        const val TEXT = "text"

        /** Below the application's files. */
        const val FOLDER = "measuring"

        const val PROGRESS = 1
        const val DONE = 2
        const val FAILED = 3

        private const val PROCESS = ":measure"
    }
}
