package org.pocketclip.machine

import android.content.Context
import android.os.Build
import android.system.ErrnoException
import android.system.Os
import java.io.File
import java.io.IOException
import java.util.concurrent.TimeUnit
import org.pocketclip.core.runtime.Chips
import org.pocketclip.core.runtime.QnnLibraries

/** The phone's NPU: its chip, and the libraries that the application packages for it. */
object AndroidNpu {
    // Where Android's own libraries for the Hexagon processor are.
    private val SYSTEM_FOLDERS = listOf("/system/lib/rfsa/adsp", "/system/vendor/lib/rfsa/adsp", "/vendor/dsp/cdsp", "/dsp")
    private const val SEARCH_PATH = "ADSP_LIBRARY_PATH"
    private const val WAIT_SECONDS = 2L

    /** The phone's chip as bundles name it, e.g. `SM8650`; null where the phone does not tell it. */
    fun chip(): String? =
        Chips.name(if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Build.SOC_MODEL else property("ro.soc.model"))

    /**
     * Qualcomm's libraries in this application, made ready to be loaded; null where none are packaged.
     *
     * The Hexagon processor looks for its own part of them where an environment variable says, which must be set before the
     * first of them is loaded. Only files can be loaded there: an application that packages them has them extracted
     * (`useLegacyPackaging = true`).
     */
    fun libraries(context: Context): QnnLibraries? {
        val libraries = QnnLibraries.find(context.applicationInfo.nativeLibraryDir?.let(::File)) ?: return null
        try {
            Os.setenv(SEARCH_PATH, (listOf(libraries.folder.path) + SYSTEM_FOLDERS).joinToString(";"), true)
        } catch (_: ErrnoException) {
            // Loading will say what it did not find.
            return libraries
        }
        return libraries
    }

    /** Android 11 and earlier tell it as a property alone, if at all. */
    private fun property(name: String): String? = try {
        val process = ProcessBuilder("getprop", name).redirectErrorStream(true).start()
        val told = process.inputStream.bufferedReader().use { it.readLine() }
        if (!process.waitFor(WAIT_SECONDS, TimeUnit.SECONDS)) process.destroy()
        told
    } catch (_: IOException) {
        null
    }
}
