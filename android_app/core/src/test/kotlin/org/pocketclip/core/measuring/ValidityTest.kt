package org.pocketclip.core.measuring

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.records.Launch
import org.pocketclip.core.testing.Launches

class ValidityTest {
    private fun codes(launch: Launch, cores: Int = 2): List<String> = Validity(cores).judge(launch).map { it.code }

    @Test
    fun `each condition has its code, once`() {
        val launch = Launches.launch()
        val state = Launches.state()
        assertEquals(emptyList<String>(), codes(launch.copy(before = state, after = state)))
        for ((changed, code) in listOf(
            launch.copy(othersBusyCores = 0.3) to "busy",
            launch.copy(before = state.copy(othersBusyCores = 0.3), othersBusyCores = 0.3) to "busy",
            launch.copy(stolenShare = 0.06) to "stolen",
            launch.copy(after = state.copy(temperatureCelsius = 81.0)) to "hot",
            launch.copy(before = state.copy(thermalStatus = 2), after = state.copy(thermalStatus = 3)) to "hot",
            launch.copy(after = state.copy(clockKhz = listOf(700), clockLimitKhz = 1000)) to "throttled",
            launch.copy(before = state.copy(batteryPercent = 19, charging = false)) to "low-battery",
            launch.copy(before = state.copy(powerSaver = true)) to "power-saver",
            launch.copy(warmupStationary = false) to "not-stationary",
            launch.copy(clockJumpNs = -1_500_000_000L) to "clock-jump",
        )) {
            assertEquals(listOf(code), codes(changed))
            val entry = Validity(2).judge(changed).single()
            assertTrue(entry.reason.isNotEmpty() && entry.fix.isNotEmpty())
        }
    }

    @Test
    fun `what is allowed is allowed`() {
        val state = Launches.state()
        val launch = Launches.launch().copy(
            before = state.copy(thermalStatus = 1, batteryPercent = 5, charging = true),
            after = state.copy(clockKhz = listOf(760, 400), clockLimitKhz = 1000, temperatureCelsius = 80.0),
            othersBusyCores = 0.9,
            clockJumpNs = 900_000_000L,
        )
        assertEquals(emptyList<String>(), codes(launch, cores = 8))
    }
}
