package org.pocketclip.core.bench

import org.pocketclip.core.machine.Conditions
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.MachineState

/** What a phone must be before, and while, it is measured. What it does not tell is no hindrance. */
internal object Preconditions {
    private const val LOWEST_PERCENT = 20

    // Light: the system only warns.
    private const val HIGHEST_STATUS = 1

    // Severe: what a sustained run shows is how the phone slows down; beyond, the phone itself is in danger.
    private const val HIGHEST_SUSTAINED_STATUS = 3

    /**
     * Refuses conditions under which times mean nothing.
     *
     * @throws RequestFailure with the code of the first that is not met, and what to do.
     */
    fun check(application: Application, debuggableAllowed: Boolean, conditions: Conditions) {
        if (application.debuggable == true && !debuggableAllowed) {
            throw RequestFailure(
                FailureCode.DEBUGGABLE,
                "the application is a debug build, whose times mean little; install the release build",
            )
        }
        val percent = conditions.batteryPercent
        if (percent != null && percent < LOWEST_PERCENT && conditions.charging != true) {
            throw RequestFailure(
                FailureCode.LOW_BATTERY,
                "the battery is at $percent % and not charging; charge it to $LOWEST_PERCENT % or plug it in",
            )
        }
        if (conditions.powerSaver == true) {
            throw RequestFailure(FailureCode.POWER_SAVER, "power saving is on; turn it off")
        }
        checkHeat(conditions.thermalStatus, HIGHEST_STATUS, "before the measurement")
    }

    /** Refuses to go on where the phone became too warm; throws as [check]. */
    fun checkHeat(state: MachineState, sustained: Boolean) =
        checkHeat(state.thermalStatus, if (sustained) HIGHEST_SUSTAINED_STATUS else HIGHEST_STATUS, "while it was measured")

    private fun checkHeat(status: Int?, highest: Int, moment: String) {
        if (status != null && status > highest) {
            throw RequestFailure(
                FailureCode.THERMAL,
                "the thermal status is $status $moment, at most $highest is allowed; let the phone cool down",
            )
        }
    }
}
