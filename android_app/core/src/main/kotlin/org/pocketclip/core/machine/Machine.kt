package org.pocketclip.core.machine

import java.io.File
import org.pocketclip.core.records.MachineState

/** What the harness and a measurement ask of the machine that they run on. What it does not tell is null. */
interface Machine {
    /** Memory of this process. */
    val memory: ProcessMemory

    /** What may disturb a measurement, now. */
    fun state(): MachineState

    /** Starts to watch what else the processors do. */
    fun watch(): Watch

    /**
     * Lets this process run on these cores alone, all its threads, those it has and those to come.
     *
     * @throws org.pocketclip.core.MachineException the system does not.
     */
    fun keepToCores(cores: List<Int>)

    /** Lets go of the pages that hold a file, or a folder's files; whether none of them is in memory afterwards. */
    fun dropFileCache(file: File): Boolean
}

/** Memory of this process, in bytes; null is what the system does not tell. */
interface ProcessMemory {
    /** Memory resident now. */
    fun residentBytes(): Long?

    /** The highest resident memory since the start, or since [resetPeak] where that worked. */
    fun peakBytes(): Long?

    /** Resident memory, pages shared with other processes counted in part (PSS). */
    fun proportionalBytes(): Long?

    /** Resident pages of files, which the system may drop and read again. */
    fun fileMappedBytes(): Long?

    /** Makes the peak start again from what is resident now; false where the system does not let us. */
    fun resetPeak(): Boolean
}

/** Watches the processors from the moment it was made. */
fun interface Watch {
    fun finish(): Disturbance
}

/**
 * What else the processors did over a time.
 *
 * @property othersBusyCores the processor time that other programs took, in that of one core.
 * @property stolenShare the share that the hypervisor gave to other machines.
 * @property energyJoules what the processor's packages took.
 */
data class Disturbance(
    val othersBusyCores: Double? = null,
    val stolenShare: Double? = null,
    val energyJoules: Double? = null,
)

/**
 * What the operating system's services tell beyond /proc and /sys: on Android PowerManager and BatteryManager. Called
 * between blocks of inferences, so it must take little time.
 */
fun interface SystemServices {
    fun conditions(): Conditions

    companion object {
        /** A system that tells nothing. */
        val NONE = SystemServices { Conditions() }
    }
}

/**
 * What a system's services tell; null is unknown. It goes before what /sys says.
 *
 * @property thermalStatus `PowerManager.getCurrentThermalStatus`.
 * @property thermalHeadroom `PowerManager.getThermalHeadroom`; NaN is unknown.
 */
data class Conditions(
    val batteryPercent: Int? = null,
    val charging: Boolean? = null,
    val powerSaver: Boolean? = null,
    val thermalStatus: Int? = null,
    val thermalHeadroom: Double? = null,
    val temperatureCelsius: Double? = null,
)
