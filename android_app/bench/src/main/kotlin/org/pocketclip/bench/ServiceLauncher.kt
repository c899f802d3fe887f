package org.pocketclip.bench

import android.app.ActivityManager
import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Message
import android.os.Messenger
import android.os.Process
import android.os.RemoteException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import org.pocketclip.core.bench.LaunchEnd
import org.pocketclip.core.bench.Launcher

/**
 * Launches in the process of [LaunchService]. Not to be called on the main thread, which brings the answers.
 *
 * @param endMs how long that process may take to end after its answer.
 */
internal class ServiceLauncher(private val context: Context, private val endMs: Long = 5_000) : Launcher {
    override fun launch(action: String, request: String?, requestSha256: String?, limitMs: Long): LaunchEnd {
        val arguments = Bundle().apply {
            putString(BenchAction.ACTION, action)
            request?.let { putString(BenchAction.REQUEST, it) }
            requestSha256?.let { putString(BenchAction.REQUEST_SHA256, it) }
        }
        val process = Connection(arguments)
        // As important as an instrumentation is, and no more: other cores would be used for what is on the screen.
        val flags = Context.BIND_AUTO_CREATE or Context.BIND_IMPORTANT
        if (!context.bindService(Intent(context, LaunchService::class.java), process, flags)) {
            context.unbindService(process)
            return LaunchEnd.Refused("the system starts no process for a launch")
        }
        try {
            if (!process.told.await(limitMs, TimeUnit.MILLISECONDS)) {
                process.kill()
                return LaunchEnd.TimedOut
            }
            // It ends itself once it has answered; the next launch must not find it.
            if (!process.gone.await(endMs, TimeUnit.MILLISECONDS)) process.kill()
            return process.end ?: LaunchEnd.Died(exits(process.pid))
        } finally {
            context.unbindService(process)
        }
    }

    /** What the system remembers of a process's end, worded as `dumpsys activity exit-info` does; empty before Android 11. */
    private fun exits(pid: Int): String {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return ""
        val manager = context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
        val last = manager.getHistoricalProcessExitReasons(context.packageName, pid, 1).firstOrNull() ?: return ""
        val description = last.description?.replace('\n', ' ') ?: "null"
        return "ApplicationExitInfo #0:\n pid=${last.pid} reason=${last.reason} (${WORDS[last.reason] ?: "OTHER"}) subreason=0 " +
            "status=${last.status} importance=${last.importance} description=$description\n"
    }

    private class Connection(private val arguments: Bundle) : ServiceConnection {
        val told = CountDownLatch(1)
        val gone = CountDownLatch(1)

        @Volatile
        var end: LaunchEnd? = null

        @Volatile
        var pid = 0

        private val answers = Messenger(
            Handler(Looper.getMainLooper()) { message ->
                val text = message.data.getString(LaunchService.TEXT).orEmpty()
                when (message.what) {
                    LaunchService.BEGUN -> pid = message.arg1
                    LaunchService.DONE -> answer(LaunchEnd.Answered(text))
                    LaunchService.FAILED -> answer(LaunchEnd.Refused(text))
                }
                true
            },
        )

        private fun answer(found: LaunchEnd) {
            end = found
            told.countDown()
        }

        /** A process of this application's own; a thread in it may hang for good. */
        fun kill() {
            if (pid > 0 && pid != Process.myPid()) Process.killProcess(pid)
        }

        override fun onServiceConnected(name: ComponentName?, service: IBinder) {
            // The system starts it again where it ended before it was let go of.
            if (gone.count == 0L) return
            val message = Message.obtain(null, LaunchService.RUN).apply {
                data = arguments
                replyTo = answers
            }
            try {
                Messenger(service).send(message)
            } catch (_: RemoteException) {
                onServiceDisconnected(name)
            }
        }

        override fun onServiceDisconnected(name: ComponentName?) {
            told.countDown()
            gone.countDown()
        }
    }

    private companion object {
        /** android.app.ApplicationExitInfo's reasons, by the words that Android prints. */
        val WORDS = mapOf(
            1 to "EXIT_SELF", 2 to "SIGNALED", 3 to "LOW_MEMORY", 4 to "APP CRASH(EXCEPTION)", 5 to "APP CRASH(NATIVE)",
            6 to "ANR", 7 to "INITIALIZATION FAILURE", 9 to "EXCESSIVE RESOURCE USAGE", 10 to "USER REQUESTED",
            12 to "DEPENDENCY DIED",
        )
    }
}
