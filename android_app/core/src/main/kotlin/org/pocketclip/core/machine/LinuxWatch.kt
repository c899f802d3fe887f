package org.pocketclip.core.machine

import java.io.File
import kotlin.math.round

/** Watches /proc/stat, this process's own time, and the energy counters of Intel's packages. */
internal class LinuxWatch(private val proc: File, private val sys: File, private val nanoTime: () -> Long) : Watch {
    private val times = processorTimes()
    private val own = ownSeconds()
    private val energy = energy()
    private val started = nanoTime()

    override fun finish(): Disturbance {
        val seconds = (nanoTime() - started) / NANOSECONDS
        val after = processorTimes()
        val ownAfter = ownSeconds()
        var busyCores: Double? = null
        var stolenShare: Double? = null
        if (times != null && after != null && own != null && ownAfter != null && seconds > 0) {
            // Each core's time is counted in ticks: of that which may be rounding, nobody is accused.
            val others = after.busy - times.busy - (ownAfter - own) - after.cores / TICKS_PER_SECOND
            busyCores = rounded(minOf(maxOf(0.0, others) / seconds, after.cores.toDouble()), 4)
            val total = after.total - times.total
            if (total > 0) stolenShare = rounded(((after.stolen - times.stolen) / total).coerceIn(0.0, 1.0), 5)
        }
        return Disturbance(busyCores, stolenShare, joules())
    }

    private class Times(val cores: Int, val busy: Double, val stolen: Double, val total: Double)

    /** Seconds of all cores since the start. */
    private fun processorTimes(): Times? {
        val lines = LinuxFiles.text(File(proc, "stat"))?.lines()
        val fields = lines?.first()?.split(SPACES)?.drop(1)?.take(8)
        val values = fields?.mapNotNull { it.toDoubleOrNull() }?.map { it / TICKS_PER_SECOND }
        if (values == null || values.size < 8) return null
        val (user, nice, system, idle, waiting) = values
        val (interrupts, soft, stolen) = values.drop(5)
        val busy = user + nice + system + interrupts + soft
        return Times(maxOf(1, lines.count(CORE::containsMatchIn)), busy, stolen, busy + stolen + idle + waiting)
    }

    /** Processor time of this process, all threads. */
    private fun ownSeconds(): Double? {
        // The second field is the program's name in brackets, which may hold anything.
        val fields = LinuxFiles.text(File(proc, "self/stat"))?.substringAfterLast(')')?.trim()?.split(SPACES)
        val user = fields?.getOrNull(11)?.toDoubleOrNull() ?: return null
        val system = fields.getOrNull(12)?.toDoubleOrNull() ?: return null
        return (user + system) / TICKS_PER_SECOND
    }

    private class Counter(val microjoules: Long, val limit: Long)

    /** Counters of the processor's packages, each with the value at which it starts again. */
    private fun energy(): Map<String, Counter> =
        // Below a package there are its parts, which it contains.
        LinuxFiles.matching(File(sys, "class/powercap"), Regex("intel-rapl:[0-9]+")).mapNotNull { folder ->
            LinuxFiles.number(File(folder, "energy_uj"))?.let { value ->
                folder.name to Counter(value, LinuxFiles.number(File(folder, "max_energy_range_uj")) ?: 0)
            }
        }.toMap()

    private fun joules(): Double? {
        val after = energy()
        if (energy.isEmpty() || after.keys != energy.keys) return null
        val spent = after.entries.sumOf { (name, counter) ->
            val difference = counter.microjoules - energy.getValue(name).microjoules
            if (difference >= 0) difference else difference + counter.limit
        }
        return rounded(spent / MICROJOULES, 6)
    }

    private fun rounded(value: Double, digits: Int): Double {
        val scale = Math.pow(10.0, digits.toDouble())
        return round(value * scale) / scale
    }

    private companion object {
        val SPACES = Regex(" +")
        val CORE = Regex("^cpu[0-9]")
        const val NANOSECONDS = 1e9
        const val MICROJOULES = 1e6

        // The kernel counts for programs in hundredths of a second on every machine.
        const val TICKS_PER_SECOND = 100.0
    }
}
