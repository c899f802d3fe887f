package org.pocketclip.bench

import android.app.Activity
import android.app.Instrumentation
import android.os.Bundle
import org.pocketclip.core.bench.Answer

/**
 * What `am instrument -w -r -e action ACTION [-e request REL -e request_sha256 HEX]` starts: carries out one action of
 * the protocol in a fresh process and ends it with the answer's length and hash.
 *
 * The result code is [Activity.RESULT_OK] (-1) wherever an answer was written, also of a failure; [Activity.RESULT_CANCELED]
 * (0) where not even that could be done, as Android itself gives it for a crash.
 */
class BenchInstrumentation : Instrumentation() {
    private lateinit var arguments: Bundle

    override fun onCreate(arguments: Bundle?) {
        super.onCreate(arguments)
        this.arguments = arguments ?: Bundle.EMPTY
        start()
    }

    override fun onStart() {
        super.onStart()
        val result = Bundle()
        finish(BenchAction(targetContext, ::tell).carryOut(arguments, result), result)
    }

    private fun tell(words: String) {
        sendStatus(PROGRESS_CODE, Bundle().apply { putString(Answer.PROGRESS, words) })
    }

    private companion object {
        const val PROGRESS_CODE = 1
    }
}
