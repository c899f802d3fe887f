package org.pocketclip.machine

import android.app.ActivityManager
import android.content.Context
import android.os.Build
import java.io.File
import java.io.IOException
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind

/** This phone, as records say it. It gives no identity away: [DeviceFacts.instance] is null. */
fun androidDevice(context: Context, cpuinfo: File = File("/proc/cpuinfo")): DeviceFacts {
    val memory = ActivityManager.MemoryInfo()
    (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(memory)
    val soc = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
        "${Build.SOC_MANUFACTURER} ${Build.SOC_MODEL}".takeIf { Build.SOC_MODEL != Build.UNKNOWN }
    } else {
        null
    }
    return DeviceFacts(
        name = "${Build.MANUFACTURER} ${Build.MODEL}",
        kind = if (Build.HARDWARE in EMULATORS) DeviceKind.EMULATED else DeviceKind.PHONE,
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        machine = System.getProperty("os.arch") ?: Build.SUPPORTED_ABIS.first(),
        cpu = soc ?: Build.HARDWARE,
        isa = instructionSets(cpuinfo),
        logicalCores = Runtime.getRuntime().availableProcessors(),
        memoryBytes = memory.totalMem,
        soc = soc,
    )
}

/** The instruction sets that matter to inference, named as `benchmark/platforms/host.py` names them; those of the first core. */
internal fun instructionSets(cpuinfo: File): List<String> {
    val flags = try {
        cpuinfo.useLines { lines ->
            lines.firstOrNull { it.startsWith("Features") || it.startsWith("flags") }?.substringAfter(':')
        }
    } catch (_: IOException) {
        null
    }.orEmpty().trim().split(' ')
    return FLAGS.filterKeys { it in flags }.values.distinct()
}

private val EMULATORS = setOf("goldfish", "ranchu")

private val FLAGS = mapOf(
    "sse4_2" to "sse4.2",
    "avx" to "avx",
    "f16c" to "f16c",
    "fma" to "fma",
    "avx2" to "avx2",
    "avx_vnni" to "avx_vnni",
    "avx512f" to "avx512f",
    "avx512_vnni" to "avx512_vnni",
    "avx512_bf16" to "avx512_bf16",
    "avx512_fp16" to "avx512_fp16",
    "amx_int8" to "amx_int8",
    "asimd" to "neon",
    "neon" to "neon",
    "asimdhp" to "fp16",
    "asimddp" to "dotprod",
    "i8mm" to "i8mm",
    "bf16" to "bf16",
    "sve" to "sve",
    "sve2" to "sve2",
    "sme" to "sme",
)
