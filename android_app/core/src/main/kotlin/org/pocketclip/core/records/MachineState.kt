package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/**
 * What may disturb a measurement, at one moment; null is what the device does not tell.
 *
 * @property at UTC, ISO 8601.
 * @property clockKhz clocks of the cores that run now, the fastest first.
 * @property clockLimitKhz the highest that any of them may have.
 * @property temperatureCelsius of the hottest sensor of the processor.
 * @property thermalStatus Android's: 0 none, 1 light, 2 moderate, 3 severe, 4 critical, 5 emergency, 6 shutdown.
 * @property othersBusyCores what other programs take of the processors' time, in that of one core.
 * @property thermalHeadroom Android's: 1.0 is where it throttles severely.
 */
@Serializable
data class MachineState(
    val at: String,
    @SerialName("load_average") val loadAverage: Double? = null,
    @SerialName("clock_khz") val clockKhz: List<Long> = emptyList(),
    @SerialName("clock_limit_khz") val clockLimitKhz: Long? = null,
    @SerialName("temperature_celsius") val temperatureCelsius: Double? = null,
    @SerialName("thermal_status") val thermalStatus: Int? = null,
    @SerialName("battery_percent") val batteryPercent: Int? = null,
    val charging: Boolean? = null,
    @SerialName("power_saver") val powerSaver: Boolean? = null,
    @SerialName("others_busy_cores") val othersBusyCores: Double? = null,
    @SerialName("thermal_headroom") val thermalHeadroom: Double? = null,
)
