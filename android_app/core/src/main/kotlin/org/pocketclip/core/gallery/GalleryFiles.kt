package org.pocketclip.core.gallery

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.util.concurrent.ConcurrentHashMap
import org.pocketclip.core.GalleryBusyException
import org.pocketclip.core.MachineException

/** The files of an index's generation. */
internal class GalleryFiles(val folder: File, val generation: Long) {
    val rows = File(folder, "rows-$generation.f16")
    val photos = File(folder, "photos-$generation.jsonl")

    /** Removes both. */
    fun remove() {
        rows.delete()
        photos.delete()
    }

    /** Removes files of other generations: whoever wrote them was ended before they became the index, or after. */
    fun removeOthers() {
        folder.listFiles().orEmpty()
            .filter { OF_A_GENERATION.matches(it.name) && it != rows && it != photos }
            .forEach { it.delete() }
    }

    companion object {
        private val OF_A_GENERATION = Regex("rows-[0-9]+\\.f16|photos-[0-9]+\\.jsonl")

        fun index(folder: File): File = File(folder, "index.json")
    }
}

/** Keeps others from writing into an index, in this process and in others. */
internal class GalleryLock private constructor(private val path: String, private val file: RandomAccessFile) : AutoCloseable {
    /** Lets others write. */
    override fun close() {
        file.close()
        HELD.remove(path)
    }

    companion object {
        private const val NAME = ".index.lock"

        /** The system would give up a process's lock as soon as the process closed the file a second time. */
        private val HELD: MutableSet<String> = ConcurrentHashMap.newKeySet()

        /**
         * @throws GalleryBusyException somebody else writes.
         * @throws org.pocketclip.core.MachineException the folder cannot be written.
         */
        fun take(folder: File): GalleryLock = onStorage(folder) {
            if (!folder.isDirectory && !folder.mkdirs()) throw IOException("the folder cannot be made")
            val path = folder.canonicalPath
            if (!HELD.add(path)) throw busy(folder)
            try {
                GalleryLock(path, locked(folder))
            } catch (error: Throwable) {
                HELD.remove(path)
                throw error
            }
        }

        private fun locked(folder: File): RandomAccessFile {
            val file = RandomAccessFile(File(folder, NAME), "rw")
            try {
                if (file.channel.tryLock() == null) throw busy(folder)
                return file
            } catch (error: Throwable) {
                file.close()
                throw error
            }
        }

        private fun busy(folder: File) = GalleryBusyException("somebody else writes into $folder; wait until that is done")
    }
}

/** Does what writes into a folder; where the storage fails, it says so in the project's words. */
internal inline fun <T> onStorage(folder: File, action: () -> T): T = try {
    action()
} catch (error: IOException) {
    throw MachineException("cannot write into $folder (${error.message}): is the storage full?", error)
}
