package org.pocketclip.core.measuring

import java.util.Locale
import kotlin.math.abs
import kotlin.math.roundToInt
import org.pocketclip.core.records.Invalidity
import org.pocketclip.core.records.Launch
import org.pocketclip.core.records.MachineState

/**
 * Conditions under which a time may not be ranked, as Python's `benchmark.records.validity` has them; what a device does not tell
 * is not held against it.
 *
 * @param logicalCores of the device: the more it has, the more other programs may take.
 */
class Validity(logicalCores: Int) {
    private val othersBusyCores = maxOf(FEWEST_OTHERS, logicalCores * OTHERS_SHARE)

    /** What forbids to rank a launch, each condition once. */
    fun judge(launch: Launch): List<Invalidity> = buildList {
        listOfNotNull(launch.before, launch.after).forEach { addAll(judge(it)) }
        launch.othersBusyCores?.let { if (it > othersBusyCores) add(busy(it)) }
        launch.stolenShare?.let {
            if (it > STOLEN_SHARE) {
                add(
                    Invalidity(
                        "stolen",
                        "the hypervisor took ${percent(it)} of the time, at most ${percent(STOLEN_SHARE)} wanted",
                        "use a machine whose processors are not shared, or measure when its neighbours are quiet",
                    ),
                )
            }
        }
        launch.after?.let(::throttled)?.let(::add)
        if (!launch.warmupStationary) {
            add(
                Invalidity(
                    "not-stationary",
                    "latency had not settled when the warm-up ended",
                    "measure again with more launches; a model that never settles needs --min-seconds",
                ),
            )
        }
        if (launch.clockJumpNs != null && abs(launch.clockJumpNs) > CLOCK_JUMP_NS) {
            add(
                Invalidity(
                    "clock-jump",
                    "the wall clock moved by ${"%.1f".format(Locale.ROOT, launch.clockJumpNs / 1e9)} s of its own",
                    "the device's clock was set during the launch: measure again",
                ),
            )
        }
    }.distinctBy { it.code }

    private fun judge(state: MachineState): List<Invalidity> = buildList {
        val temperature = state.temperatureCelsius
        val status = state.thermalStatus
        val heat = when {
            temperature != null && temperature > HOTTEST_CELSIUS ->
                "${temperature.roundToInt()} °C, at most ${HOTTEST_CELSIUS.roundToInt()} wanted"
            status != null && status > HIGHEST_STATUS -> "thermal status $status, at most $HIGHEST_STATUS wanted"
            else -> null
        }
        if (heat != null) {
            add(Invalidity("hot", heat, "let the device cool down, out of its case and off the charger, and measure again"))
        }
        if (state.batteryPercent != null && state.batteryPercent < LOWEST_PERCENT && state.charging != true) {
            add(
                Invalidity(
                    "low-battery",
                    "battery at ${state.batteryPercent} %, at least $LOWEST_PERCENT wanted",
                    "charge the device to 20 % or more and measure again",
                ),
            )
        }
        state.othersBusyCores?.let { if (it > othersBusyCores) add(busy(it)) }
        if (state.powerSaver == true) {
            add(Invalidity("power-saver", "the device saves power", "turn power saving off and measure again"))
        }
    }

    private fun throttled(after: MachineState): Invalidity? {
        val limit = after.clockLimitKhz ?: return null
        val share = (after.clockKhz.maxOrNull() ?: return null).toDouble() / limit
        if (share >= CLOCK_SHARE) return null
        return Invalidity(
            "throttled",
            "the clock was at ${percent(share)} of its limit, at least ${percent(CLOCK_SHARE)} wanted",
            "let the device cool down, set the governor to performance, and measure again",
        )
    }

    private fun busy(cores: Double): Invalidity = Invalidity(
        "busy",
        "other programs took ${"%.2f".format(Locale.ROOT, cores)} cores, " +
            "at most ${"%.2f".format(Locale.ROOT, othersBusyCores)} wanted",
        "stop other programs on the device, or wait, and measure again",
    )

    private fun percent(share: Double): String = "${(share * 100).roundToInt()}%"

    private companion object {
        const val FEWEST_OTHERS = 0.25
        const val OTHERS_SHARE = 1.0 / 8
        const val STOLEN_SHARE = 0.05
        const val HOTTEST_CELSIUS = 80.0
        const val HIGHEST_STATUS = 1
        const val CLOCK_SHARE = 0.75
        const val LOWEST_PERCENT = 20
        const val CLOCK_JUMP_NS = 1_000_000_000L
    }
}
