package org.pocketclip.app.classify

/**
 * Says which camera frames are worked on: at most [framesPerSecond], and never one while another is being worked on.
 *
 * Frames that are not taken are lost, so that what is shown is never older than one frame. Times are in nanoseconds of a
 * clock that does not jump. Used by one thread.
 */
class FrameGate(val framesPerSecond: Int) {
    init {
        require(framesPerSecond in 1..60) { "between 1 and 60 frames a second, got $framesPerSecond" }
    }

    private val intervalNs = 1_000_000_000L / framesPerSecond
    private var due: Long? = null
    private var busy = false
    private val finished = ArrayDeque<Long>()

    /** How many were not taken. */
    var dropped = 0L
        private set

    /** Whether to work on the frame that came now; [done] must follow where it is. */
    fun take(nowNs: Long): Boolean {
        val early = due?.let { nowNs < it } ?: false
        if (busy || early) {
            dropped++
            return false
        }
        busy = true
        // From when it was due, so that the rate holds in the mean; from now where it is late by more than one frame.
        val from = due?.takeIf { nowNs - it < intervalNs } ?: nowNs
        due = from + intervalNs
        return true
    }

    fun done(nowNs: Long) {
        busy = false
        finished.addLast(nowNs)
        while (finished.size > WINDOW) finished.removeFirst()
    }

    /** Frames a second over the last ones; null before there are two. */
    fun measuredPerSecond(): Double? =
        if (finished.size < 2 || finished.last() == finished.first()) {
            null
        } else {
            (finished.size - 1) * 1e9 / (finished.last() - finished.first())
        }

    private companion object {
        const val WINDOW = 10
    }
}
