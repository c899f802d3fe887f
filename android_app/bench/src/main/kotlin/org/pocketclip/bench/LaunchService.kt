package org.pocketclip.bench

import android.app.Activity
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
import org.pocketclip.core.bench.Answer

/**
 * Carries out one action in the application's main process and ends that process, so that the next one starts afresh: as
 * `am instrument` does it, where nobody can call that.
 *
 * Bound, not started, from the process of [LoopActivity], which is told when it dies. A request is a message [RUN] with the
 * arguments of [BenchAction]; the answers are [BEGUN] with this process's id, and then [DONE] or [FAILED]. Not exported.
 */
class LaunchService : Service() {
    private val messenger by lazy { Messenger(Handler(Looper.getMainLooper(), ::take)) }

    override fun onBind(intent: Intent?): IBinder? = messenger.binder

    /** Nobody waits any more. */
    override fun onDestroy() {
        super.onDestroy()
        end()
    }

    private fun take(message: Message): Boolean {
        val answers = message.replyTo
        if (message.what != RUN || answers == null) return false
        val arguments = Bundle(message.data)
        send(answers, Message.obtain(null, BEGUN, Process.myPid(), 0))
        thread(name = "launch") {
            send(answers, carryOut(arguments))
            // The runtime's threads and memory must not be there for the next one.
            end()
        }
        return true
    }

    /** Carries out the action; the message that answers. */
    internal fun carryOut(arguments: Bundle, serviceWaitMs: Long = 5_000): Message {
        val result = Bundle()
        val code = BenchAction(this, tell = {}, serviceWaitMs = serviceWaitMs).carryOut(arguments, result)
        val answered = code == Activity.RESULT_OK
        val text = result.getString(if (answered) Answer.KEY else Answer.ERROR).orEmpty()
        return Message.obtain(null, if (answered) DONE else FAILED).apply { data = Bundle().apply { putString(TEXT, text) } }
    }

    private fun send(answers: Messenger, message: Message) {
        try {
            answers.send(message)
        } catch (_: RemoteException) {
            // Who asked has died, and this process goes with it.
            end()
        }
    }

    /** Ends the process, where it is the one that Android starts for this service. */
    private fun end() {
        // The command line is the process's name; Android tells it in no other way before version 9.
        val name = try {
            File("/proc/self/cmdline").readText().substringBefore('\u0000')
        } catch (_: IOException) {
            return
        }
        if (name == packageName) Process.killProcess(Process.myPid())
    }

    companion object {
        const val RUN = 0
        const val BEGUN = 1
        const val DONE = 2
        const val FAILED = 3

        /** Key of the answer's announcement, or of the reason. */
        const val TEXT = "text"
    }
}
