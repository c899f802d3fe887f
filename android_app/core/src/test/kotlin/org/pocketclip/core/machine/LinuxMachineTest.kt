package org.pocketclip.core.machine

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledOnOs
import org.junit.jupiter.api.condition.OS
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.MachineException

class LinuxMachineTest {
    @TempDir
    lateinit var temporary: Path
    private val proc by lazy { temporary.resolve("proc").toFile() }
    private val sys by lazy { temporary.resolve("sys").toFile() }
    private var now = 0L

    private fun machine(services: SystemServices = SystemServices.NONE) = LinuxMachine(services, proc, sys) { now }

    private fun write(root: File, path: String, text: String) = File(root, path).apply { parentFile.mkdirs() }.writeText(text)

    @Test
    fun `the state of a phone`() {
        write(proc, "loadavg", "1.50 1.20 1.00 2/300 999\n")
        for ((core, clock) in listOf(0 to 1_800_000, 1 to 2_400_000)) {
            write(sys, "devices/system/cpu/cpu$core/cpufreq/scaling_cur_freq", "$clock\n")
            write(sys, "devices/system/cpu/cpu$core/cpufreq/cpuinfo_max_freq", "2850000\n")
        }
        write(sys, "devices/system/cpu/cpufreq/boost", "1")
        for ((zone, type, value) in listOf(Triple(0, "cpu-0-0", "41500"), Triple(1, "battery", "60000"), Triple(2, "soc_thermal", "39"), Triple(3, "gpu-core", "90000"))) {
            write(sys, "class/thermal/thermal_zone$zone/type", type)
            write(sys, "class/thermal/thermal_zone$zone/temp", value)
        }
        write(sys, "class/power_supply/mouse/type", "Battery")
        write(sys, "class/power_supply/mouse/scope", "Device")
        write(sys, "class/power_supply/battery/type", "Battery")
        write(sys, "class/power_supply/battery/capacity", "77\n")
        write(sys, "class/power_supply/battery/status", "Discharging\n")
        val state = machine().state()
        assertEquals(1.5, state.loadAverage)
        assertEquals(listOf(2_400_000L, 1_800_000L), state.clockKhz)
        assertEquals(2_850_000L, state.clockLimitKhz)
        assertEquals(41.5, state.temperatureCelsius)
        assertEquals(77, state.batteryPercent)
        assertEquals(false, state.charging)
        assertTrue(Regex("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\+00:00").matches(state.at), state.at)
        // What the system's services say goes first.
        val told = machine({ Conditions(50, true, true, 2, Double.NaN, 33.0) }).state()
        assertEquals(listOf(50, true, true, 2, null, 33.0), listOf(told.batteryPercent, told.charging, told.powerSaver, told.thermalStatus, told.thermalHeadroom, told.temperatureCelsius))
    }

    @Test
    fun `clocks are those of the cores that may be used`() {
        for (core in 0..7) {
            write(sys, "devices/system/cpu/cpu$core/cpufreq/scaling_cur_freq", if (core < 4) "1800000" else "600000")
            write(sys, "devices/system/cpu/cpu$core/cpufreq/cpuinfo_max_freq", if (core < 4) "1800000" else "2850000")
        }
        write(proc, "self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n")
        val slow = machine().state()
        assertEquals(listOf(List(4) { 1_800_000L }, 1_800_000L), listOf(slow.clockKhz, slow.clockLimitKhz))
        write(proc, "self/status", "Name:\tx\nCpus_allowed_list:\t3,7\n")
        val both = machine().state()
        assertEquals(listOf(listOf(1_800_000L, 600_000L), 2_850_000L), listOf(both.clockKhz, both.clockLimitKhz))
    }

    @Test
    fun `sensors that lie tell nothing`() {
        write(sys, "class/thermal/thermal_zone0/type", "cpu-0")
        write(sys, "class/power_supply/battery/type", "Battery")
        for ((told, celsius) in listOf("45" to 45.0, "250000" to null, "999" to null, "-40000" to null)) {
            write(sys, "class/thermal/thermal_zone0/temp", told)
            assertEquals(celsius, machine().state().temperatureCelsius, told)
        }
        for ((told, percent) in listOf("0" to 0, "100" to 100, "104" to null, "-1" to null)) {
            write(sys, "class/power_supply/battery/capacity", told)
            assertEquals(percent, machine().state().batteryPercent, told)
        }
    }

    @Test
    fun `what a machine does not tell is null`() {
        val state = machine().state()
        assertEquals(listOf(null, emptyList<Long>(), null, null, null), listOf(state.loadAverage, state.clockKhz, state.clockLimitKhz, state.temperatureCelsius, state.batteryPercent))
        val memory = machine().memory
        assertEquals(listOf(null, null, null, null), listOf(memory.residentBytes(), memory.peakBytes(), memory.proportionalBytes(), memory.fileMappedBytes()))
        assertFalse(memory.resetPeak())
        assertEquals(Disturbance(), machine().watch().finish())
        assertThrows(MachineException::class.java) { machine().keepToCores(listOf(0)) }
    }

    @Test
    fun `memory is read in bytes`() {
        write(proc, "self/status", "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t1024 kB\nRssFile:\t 12 kB\n")
        write(proc, "self/smaps_rollup", "Rss: 5 kB\nPss:    900 kB\n")
        val memory = machine().memory
        assertEquals(listOf(1_048_576L, 2_097_152L, 921_600L, 12_288L), listOf(memory.residentBytes(), memory.peakBytes(), memory.proportionalBytes(), memory.fileMappedBytes()))
        assertTrue(memory.resetPeak())
        assertEquals("5", File(proc, "self/clear_refs").readText())
    }

    @Test
    fun `what others do, what is stolen, and energy that starts again`() {
        write(proc, "stat", "cpu  1000 0 500 8000 100 0 0 50 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n")
        write(proc, "self/stat", "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0")
        write(sys, "class/powercap/intel-rapl:0/energy_uj", "9000000")
        write(sys, "class/powercap/intel-rapl:0/max_energy_range_uj", "10000000")
        write(sys, "class/powercap/intel-rapl:0:0/energy_uj", "1")
        val watch = machine().watch()
        now = 2_000_000_000L
        // 3 s busy, 1 s of it ours, two ticks of it perhaps rounding; 0.4 s stolen of 4 s.
        write(proc, "stat", "cpu  1200 0 600 8060 100 0 0 90 0 0\ncpu0 1 2\ncpu1 1 2\n")
        write(proc, "self/stat", "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 180 70 0 0")
        write(sys, "class/powercap/intel-rapl:0/energy_uj", "500000")
        assertEquals(Disturbance(0.99, 0.1, 1.5), watch.finish())
    }

    @Test
    fun `a tick in a moment accuses nobody, and nobody takes more cores than there are`() {
        write(proc, "self/stat", "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 100 50 0 0")
        for ((ticks, others) in listOf(1 to 0.0, 50 to 1.0)) {
            now = 0
            write(proc, "stat", "cpu  1000 0 500 8000 100 0 0 50 0 0\ncpu0 1 2\n")
            val watch = machine().watch()
            now = 4_000_000L
            write(proc, "stat", "cpu  ${1000 + ticks} 0 500 8000 100 0 0 50 0 0\ncpu0 1 2\n")
            assertEquals(others, watch.finish().othersBusyCores)
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    fun `this machine`() {
        val machine = LinuxMachine()
        assertNotNull(machine.memory.residentBytes())
        assertNotNull(machine.memory.peakBytes())
        assertNotNull(machine.watch().finish().othersBusyCores)
        assertFalse(machine.dropFileCache(File("/proc/self/exe")))
        for (cores in listOf(emptyList(), listOf(-1), listOf(5000))) {
            assertThrows(MachineException::class.java) { machine.keepToCores(cores) }
        }
        val allowed = File("/proc/self/status").readLines().first { it.startsWith("Cpus_allowed_list:") }.substringAfter(':').trim()
        val first = allowed.substringBefore('-').substringBefore(',').toInt()
        try {
            machine.keepToCores(listOf(first))
            assertEquals("$first", File("/proc/self/status").readLines().first { it.startsWith("Cpus_allowed_list:") }.substringAfter(':').trim())
            val error = assertThrows(MachineException::class.java) { machine.keepToCores(listOf(1000)) }
            assertTrue("1000" in error.message.orEmpty(), error.message)
        } finally {
            val all = allowed.split(',').flatMap { part -> part.split('-').map { it.toInt() }.let { (it.first()..it.last()).toList() } }
            machine.keepToCores(all)
        }
        assertNull(LinuxFiles.text(File("/proc/none")))
    }
}
