package org.pocketclip.core.machine

import java.io.File
import java.io.IOException

/** Memory of this process as Linux's /proc tells it, Android's too. */
class LinuxMemory(private val proc: File = File("/proc")) : ProcessMemory {
    private val status = File(proc, "self/status")

    override fun residentBytes(): Long? = LinuxFiles.kilobytes(status, "VmRSS:")

    override fun peakBytes(): Long? = LinuxFiles.kilobytes(status, "VmHWM:")

    override fun proportionalBytes(): Long? = LinuxFiles.kilobytes(File(proc, "self/smaps_rollup"), "Pss:")

    override fun fileMappedBytes(): Long? = LinuxFiles.kilobytes(status, "RssFile:")

    override fun resetPeak(): Boolean = try {
        File(proc, "self/clear_refs").writeText("5")
        true
    } catch (ignored: IOException) {
        false
    }
}
