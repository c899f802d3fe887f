package org.pocketclip.machine

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import org.pocketclip.core.machine.Conditions
import org.pocketclip.core.machine.SystemServices

/**
 * What Android says of charge and heat; what a version of it does not tell is null.
 *
 * The battery's temperature is not taken: it would go before that of the processor, which /sys tells on some phones.
 */
class AndroidServices(private val context: Context) : SystemServices {
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager

    override fun conditions(): Conditions {
        // Sticky: the last state, without a receiver.
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        return Conditions(
            batteryPercent = battery?.percent(),
            charging = battery?.charging(),
            powerSaver = power.isPowerSaveMode,
            thermalStatus = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) power.currentThermalStatus else null,
            thermalHeadroom = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) headroom() else null,
        )
    }

    /** Forecast for now; NaN, which it is where the device has none or was asked less than a second ago, is null. */
    private fun headroom(): Double? =
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) {
            null
        } else {
            power.getThermalHeadroom(0).takeIf(Float::isFinite)?.toDouble()
        }

    private fun Intent.percent(): Int? {
        val level = getIntExtra(BatteryManager.EXTRA_LEVEL, UNKNOWN)
        val scale = getIntExtra(BatteryManager.EXTRA_SCALE, UNKNOWN)
        return if (level < 0 || scale <= 0) null else level * 100 / scale
    }

    /** Whether power comes in: `full` on a charger counts, `not charging` on one too, as the battery does not run down. */
    private fun Intent.charging(): Boolean? =
        getIntExtra(BatteryManager.EXTRA_PLUGGED, UNKNOWN).takeIf { it >= 0 }?.let { it != 0 }

    private companion object {
        const val UNKNOWN = -1
    }
}
