package org.pocketclip.bench.cli

import java.io.File
import java.io.IOException
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.pocketclip.core.Documents
import org.pocketclip.core.InputException
import org.pocketclip.core.machine.Conditions
import org.pocketclip.core.machine.SystemServices

/** What Android's services would say; null where unknown. */
@Serializable
internal data class PhoneState(
    @SerialName("battery_percent") val batteryPercent: Int? = null,
    val charging: Boolean? = null,
    @SerialName("power_saver") val powerSaver: Boolean? = null,
    @SerialName("thermal_status") val thermalStatus: Int? = null,
    @SerialName("thermal_headroom") val thermalHeadroom: Double? = null,
    @SerialName("temperature_celsius") val temperatureCelsius: Double? = null,
    val debuggable: Boolean? = null,
    /** What the stand-in for an NPU says has executed a model; null where the phone has no NPU. */
    val npu: String? = null,
    /** The version of Qualcomm's libraries that it pretends to have. */
    val qnn: String? = null,
) {
    companion object {
        fun read(file: File): PhoneState {
            val text = try {
                file.readText()
            } catch (error: IOException) {
                throw InputException("cannot read the phone's state: ${error.message}", error)
            }
            return Documents.read(serializer(), text, file.name)
        }
    }
}

/** Reads the file each time: it may change while the program runs, as a phone's state does. */
internal class PhoneServices(private val file: File) : SystemServices {
    override fun conditions(): Conditions = PhoneState.read(file).let {
        Conditions(
            it.batteryPercent, it.charging, it.powerSaver, it.thermalStatus, it.thermalHeadroom, it.temperatureCelsius,
        )
    }
}
