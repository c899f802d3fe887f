package org.pocketclip.app.measure

import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.Parcel
import android.os.ResultReceiver
import java.io.File
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withTimeout
import org.pocketclip.core.Documents
import org.pocketclip.core.MachineException

/** Measures in the process of [MeasureService]. */
class ProcessMeasurer(private val context: Context, private val limitMs: Long = LIMIT_MS) : Measurer {
    override suspend fun measure(request: MeasureRequest, progress: (String) -> Unit): File = try {
        withTimeout(limitMs) { answer(request, progress) }
    } catch (error: TimeoutCancellationException) {
        // A process that was killed for memory tells nobody.
        throw MachineException(
            "the measuring process gave no answer in ${limitMs / 1000} s; close other apps and try again",
            error,
        )
    }

    private suspend fun answer(request: MeasureRequest, progress: (String) -> Unit): File =
        suspendCancellableCoroutine { continuation ->
            val receiver = object : ResultReceiver(Handler(Looper.getMainLooper())) {
                override fun onReceiveResult(code: Int, data: Bundle) {
                    val text = data.getString(MeasureService.TEXT).orEmpty()
                    when {
                        !continuation.isActive -> Unit
                        code == MeasureService.PROGRESS -> progress(text)
                        code == MeasureService.DONE -> continuation.resume(File(text))
                        else -> continuation.resumeWithException(MachineException(text))
                    }
                }
            }
            val intent = Intent(context, MeasureService::class.java)
                .putExtra(MeasureService.REQUEST, Documents.write(MeasureRequest.serializer(), request))
                .putExtra(MeasureService.RECEIVER, plain(receiver))
            context.startService(intent)
            continuation.invokeOnCancellation { context.stopService(intent) }
        }

    /** The receiver as the system's own class: another process does not know ours. */
    private fun plain(receiver: ResultReceiver): ResultReceiver {
        val parcel = Parcel.obtain()
        return try {
            receiver.writeToParcel(parcel, 0)
            parcel.setDataPosition(0)
            ResultReceiver.CREATOR.createFromParcel(parcel)
        } finally {
            parcel.recycle()
        }
    }

    private companion object {
        /** Loading, warming up and measuring of the slowest tower on the slowest phone. */
        const val LIMIT_MS = 180_000L
    }
}
