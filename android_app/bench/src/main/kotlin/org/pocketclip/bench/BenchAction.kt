package org.pocketclip.bench

import android.app.Activity
import android.content.Context
import android.os.Bundle
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.bench.Answer
import org.pocketclip.core.worded

/**
 * One action of the protocol, with Android's part of it.
 *
 * @param tell is told the progress.
 * @param serviceWaitMs so long the foreground service has to come up before a measurement.
 */
internal class BenchAction(
    private val context: Context,
    private val tell: (String) -> Unit,
    private val serviceWaitMs: Long = 5_000,
) {
    /** Runs the action, puts what shall be printed into [result], and gives the code to end with. */
    fun carryOut(arguments: Bundle, result: Bundle): Int {
        val action = arguments.getString(ACTION)
        if (action == null) {
            result.putString(Answer.ERROR, "the argument $ACTION is missing: -e $ACTION facts|stage|forget|measure|throughput")
            return Activity.RESULT_CANCELED
        }
        return try {
            val program = BenchComponents.program(context, tell)
            val request = arguments.getString(REQUEST)
            val sha256 = arguments.getString(REQUEST_SHA256)
            val answer = if (action in MEASURING) {
                MeasuringService.during(context, tell, serviceWaitMs) { program.run(action, request, sha256) }
            } else {
                program.run(action, request, sha256)
            }
            result.putString(Answer.KEY, answer.value)
            Activity.RESULT_OK
        } catch (error: PocketClipException) {
            result.putString(Answer.ERROR, worded(error))
            Activity.RESULT_CANCELED
        }
    }

    companion object {
        const val ACTION = "action"
        const val REQUEST = "request"

        /** Of the request as it was sent: what lies in the shared folder may be changed by others. */
        const val REQUEST_SHA256 = "request_sha256"

        private val MEASURING = setOf("measure", "throughput")
    }
}
