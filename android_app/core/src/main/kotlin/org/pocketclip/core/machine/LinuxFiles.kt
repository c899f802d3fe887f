package org.pocketclip.core.machine

import java.io.File
import java.io.IOException

/** Reads the small files of /proc and /sys; what cannot be read is null: Android keeps many from applications. */
internal object LinuxFiles {
    fun text(file: File): String? = try {
        file.readText().trim()
    } catch (ignored: IOException) {
        null
    } catch (ignored: SecurityException) {
        null
    }

    fun number(file: File): Long? = text(file)?.toLongOrNull()

    /** Folders or files in a folder whose names fit, in order. */
    fun matching(folder: File, name: Regex): List<File> =
        folder.listFiles().orEmpty().filter { name.matches(it.name) }.sortedBy { it.name }

    /** Bytes of a field in kilobytes, as /proc/self/status has them. */
    fun kilobytes(file: File, field: String): Long? =
        text(file)?.lineSequence()?.firstOrNull { it.startsWith(field) }
            ?.removePrefix(field)?.trim()?.substringBefore(' ')?.toLongOrNull()?.times(KILOBYTE)

    private const val KILOBYTE = 1024
}
