package org.pocketclip.core.machine

import java.io.File
import java.io.IOException
import java.time.OffsetDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Locale
import java.util.concurrent.TimeUnit
import org.pocketclip.core.MachineException
import org.pocketclip.core.records.MachineState

/**
 * A machine with Linux's /proc and /sys, an Android phone too; the same as Python's `benchmark.agent.machine`.
 *
 * @param services what the system's services tell besides; it goes before /sys.
 * @param proc where /proc is.
 * @param sys where /sys is.
 * @param nanoTime a clock that never jumps.
 */
class LinuxMachine(
    private val services: SystemServices = SystemServices.NONE,
    private val proc: File = File("/proc"),
    private val sys: File = File("/sys"),
    private val nanoTime: () -> Long = System::nanoTime,
) : Machine {
    override val memory: ProcessMemory = LinuxMemory(proc)

    override fun state(): MachineState {
        // Of the cores that this process may use: a slow core never reaches the limit of a fast one beside it.
        val own = allowedCores()?.let(::coreList)
        val frequencies = LinuxFiles.matching(File(sys, "devices/system/cpu"), CPU)
            .filter { own == null || it.name.removePrefix("cpu").toIntOrNull() in own }
            .map { File(it, "cpufreq") }
        val told = services.conditions()
        val (percent, charging) = battery()
        return MachineState(
            at = OffsetDateTime.now(ZoneOffset.UTC).format(MOMENT),
            loadAverage = LinuxFiles.text(File(proc, "loadavg"))?.substringBefore(' ')?.toDoubleOrNull(),
            clockKhz = frequencies.mapNotNull { positive(File(it, "scaling_cur_freq")) }.sortedDescending(),
            clockLimitKhz = frequencies.mapNotNull { positive(File(it, "cpuinfo_max_freq")) }.maxOrNull(),
            temperatureCelsius = told.temperatureCelsius ?: temperature(),
            thermalStatus = told.thermalStatus,
            batteryPercent = told.batteryPercent ?: percent,
            charging = told.charging ?: charging,
            powerSaver = told.powerSaver,
            thermalHeadroom = told.thermalHeadroom?.takeIf { it.isFinite() },
        )
    }

    override fun watch(): Watch = LinuxWatch(proc, sys, nanoTime)

    /** By the `taskset` that Linux and Android have; the kernel says afterwards whether it holds. */
    override fun keepToCores(cores: List<Int>) {
        if (cores.isEmpty() || cores.any { it !in 0..HIGHEST_CORE }) {
            throw MachineException("cores are numbers from 0 to $HIGHEST_CORE, at least one; got $cores")
        }
        val mask = cores.fold(java.math.BigInteger.ZERO) { bits, core -> bits.setBit(core) }.toString(HEXADECIMAL)
        val own = LinuxFiles.text(File(proc, "self/stat"))?.substringBefore(' ')
            ?: throw MachineException("this system does not tell a process its number; leave the cores to it")
        val said = run(listOf("taskset", "-a", "-p", mask, own))
        val allowed = allowedCores()
        if (allowed == null || coreList(allowed) != cores.toSet()) {
            throw MachineException(
                "the system does not keep this process to the cores $cores (it may use ${allowed ?: "unknown ones"}): $said",
            )
        }
    }

    /** Neither Java nor Android has a call that drops a file's pages. */
    override fun dropFileCache(file: File): Boolean = false

    private fun allowedCores(): String? = LinuxFiles.text(File(proc, "self/status"))?.lineSequence()
        ?.firstOrNull { it.startsWith(ALLOWED) }?.removePrefix(ALLOWED)?.trim()

    private fun run(command: List<String>): String = try {
        val process = ProcessBuilder(command).redirectErrorStream(true).start()
        process.outputStream.close()
        val said = process.inputStream.bufferedReader().readText().trim().lineSequence().last()
        if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) process.destroyForcibly()
        said
    } catch (error: IOException) {
        throw MachineException("the system has no taskset (${error.message}); leave the cores to it", error)
    }

    /** Of the hottest sensor that is a processor's, in degrees Celsius. */
    private fun temperature(): Double? =
        LinuxFiles.matching(File(sys, "class/thermal"), Regex("thermal_zone.*")).mapNotNull { zone ->
            val name = LinuxFiles.text(File(zone, "type")).orEmpty().lowercase(Locale.ROOT)
            val value = LinuxFiles.number(File(zone, "temp"))
            val processor = PROCESSOR_SENSORS.any { it in name } && OTHER_SENSORS.none { it in name }
            when {
                !processor || value == null -> null
                // Some kernels count in degrees, most in thousandths.
                value > 1000 -> value / 1000.0
                else -> value.toDouble()
            }
            // A sensor that is not connected often gives a number that no processor survives.
        }.filter { it > 0 && it < HOTTEST_CELSIUS }.maxOrNull()

    private fun battery(): Pair<Int?, Boolean?> {
        for (supply in LinuxFiles.matching(File(sys, "class/power_supply"), Regex(".*"))) {
            val own = LinuxFiles.text(File(supply, "scope")) != "Device"
            if (own && LinuxFiles.text(File(supply, "type")) == "Battery") {
                val status = LinuxFiles.text(File(supply, "status"))
                // Some fuel gauges go beyond 100, which no record may hold.
                val percent = LinuxFiles.number(File(supply, "capacity"))?.takeIf { it in 0..100 }?.toInt()
                return percent to status?.let { it in CHARGING }
            }
        }
        return null to null
    }

    private fun positive(file: File): Long? = LinuxFiles.number(file)?.takeIf { it > 0 }

    /** `0-3,6` as a set. */
    private fun coreList(text: String): Set<Int> = text.split(',').flatMap { part ->
        val ends = part.trim().split('-').mapNotNull { it.toIntOrNull() }
        if (ends.isEmpty()) emptyList() else (ends.first()..ends.last()).toList()
    }.toSet()

    private companion object {
        val CPU = Regex("cpu[0-9]+")

        // Sensors of processors, by what their names hold; others are those of batteries, charging or the skin.
        val PROCESSOR_SENSORS = listOf("cpu", "soc", "x86_pkg", "core", "big", "mid", "little")
        val OTHER_SENSORS = listOf("battery", "skin", "gpu", "modem", "wlan", "charger")
        val CHARGING = setOf("Charging", "Full", "Not charging")
        val MOMENT: DateTimeFormatter = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSxxx", Locale.ROOT)
        const val ALLOWED = "Cpus_allowed_list:"
        const val HIGHEST_CORE = 1023
        const val HEXADECIMAL = 16
        const val HOTTEST_CELSIUS = 200.0
        const val TIMEOUT_SECONDS = 10L
    }
}
