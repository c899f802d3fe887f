package org.pocketclip.core.bench

import java.io.File
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.FileEntry

/**
 * Photographs in the application's own storage, for as long as a launch takes: others may write to the shared folder, and
 * nobody's photographs stay.
 */
internal class PhotoCopies(private val external: Folder, internal: File) {
    private val folder = File(internal, FOLDER)

    /** Removes what a launch that was killed left. */
    fun clear() {
        folder.deleteRecursively()
    }

    /**
     * Copies of the photographs, by the paths that they were announced with, for the block.
     *
     * @throws RequestFailure `bad-job`, `path-outside`, `model-altered` or `no-space`.
     * @throws java.io.IOException the storage fails.
     */
    fun <T> during(announced: List<FileEntry>, block: (Map<String, File>) -> T): T {
        check(announced)
        clear()
        try {
            val copies = announced.withIndex().associate { (place, entry) -> entry.path to File(folder, "$place") }
            announced.forEach { Staging.copy(external, it.path, it, copies.getValue(it.path)) }
            return block(copies)
        } finally {
            clear()
        }
    }

    private fun check(announced: List<FileEntry>) {
        if (announced.size !in 1..MOST) bad("a throughput takes 1 to $MOST photographs, the job gives ${announced.size}")
        SafePaths.fault(announced.map { it.path })?.let {
            throw RequestFailure(FailureCode.PATH_OUTSIDE, "the job names $it")
        }
        announced.firstOrNull { it.sizeBytes !in 0..MOST_BYTES }?.let {
            bad("${SafePaths.quoted(it.path)} has ${it.sizeBytes} bytes, at most $MOST_BYTES are decoded")
        }
        folder.mkdirs()
        val needed = announced.sumOf { it.sizeBytes }
        if (needed > folder.usableSpace) {
            throw RequestFailure(
                FailureCode.NO_SPACE,
                "the photographs take $needed bytes, ${folder.usableSpace} are free in the application's storage",
            )
        }
    }

    private companion object {
        const val FOLDER = "photos"
        const val MOST = 1024

        // A file is read into memory as a whole.
        const val MOST_BYTES = 128_000_000L
    }
}
