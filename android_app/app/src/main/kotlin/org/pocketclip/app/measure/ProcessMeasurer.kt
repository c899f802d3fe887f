package org.pocketclip.app.measure

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Bundle
import android.os.Handler
import android.os.IBinder
import android.os.Looper
import android.os.Message
import android.os.Messenger
import android.os.RemoteException
import java.io.File
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.pocketclip.core.Documents
import org.pocketclip.core.MachineException

/**
 * Measures in the process of [MeasureService]. Used on the main thread.
 *
 * @param limitMs how long one measurement may take.
 * @param endMs how long its process may take to end afterwards.
 */
class ProcessMeasurer(
    private val context: Context,
    private val limitMs: Long = LIMIT_MS,
    private val endMs: Long = END_MS,
) : Measurer {
    override suspend fun measure(request: MeasureRequest, progress: (String) -> Unit): File {
        val process = Connection(Documents.write(MeasureRequest.serializer(), request), progress)
        if (!context.bindService(Intent(context, MeasureService::class.java), process, Context.BIND_AUTO_CREATE)) {
            context.unbindService(process)
            throw MachineException("the system starts no process for the measurement; restart the app and try again")
        }
        try {
            val answer = withTimeout(limitMs) { process.answer.await() }
            // It ends itself once it has answered; the next measurement must not find it.
            withTimeoutOrNull(endMs) { process.ended.await() }
            return answer.getOrThrow()
        } catch (error: TimeoutCancellationException) {
            throw MachineException(
                "the measuring process gave no answer in ${limitMs / 1000} s; close other apps and try again",
                error,
            )
        } finally {
            context.unbindService(process)
        }
    }

    private class Connection(private val request: String, private val progress: (String) -> Unit) : ServiceConnection {
        val answer = CompletableDeferred<Result<File>>()
        val ended = CompletableDeferred<Unit>()

        private val answers = Messenger(
            Handler(Looper.getMainLooper()) { message ->
                val text = message.data.getString(MeasureService.TEXT).orEmpty()
                when (message.what) {
                    MeasureService.PROGRESS -> progress(text)
                    MeasureService.DONE -> answer.complete(Result.success(File(text)))
                    MeasureService.FAILED -> answer.complete(Result.failure(MachineException(text)))
                }
                true
            },
        )

        override fun onServiceConnected(name: ComponentName?, service: IBinder) {
            // The system starts it again where it ended before it was let go of.
            if (ended.isCompleted) return
            val message = Message.obtain(null, MeasureService.RUN).apply {
                data = Bundle().apply { putString(MeasureService.TEXT, request) }
                replyTo = answers
            }
            try {
                Messenger(service).send(message)
            } catch (_: RemoteException) {
                onServiceDisconnected(name)
            }
        }

        override fun onServiceDisconnected(name: ComponentName?) {
            // Does nothing where the answer was there before.
            answer.complete(
                Result.failure(
                    MachineException(
                        "the measuring process died: memory ran out, or the runtime crashed with this accelerator; " +
                            "close other apps, or choose another accelerator",
                    ),
                ),
            )
            ended.complete(Unit)
        }
    }

    private companion object {
        /** Loading, warming up and measuring of the slowest tower on the slowest phone. */
        const val LIMIT_MS = 180_000L

        const val END_MS = 2_000L
    }
}
