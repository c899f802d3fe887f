package org.pocketclip.app.bundles

import java.io.File
import java.io.IOException
import java.io.InputStream
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.Hashing
import org.pocketclip.core.MachineException
import org.pocketclip.core.bundle.BUNDLE_NAME
import org.pocketclip.core.bundle.Bundle

/** Where a bundle comes from: a zip, or files in folders. */
sealed interface BundleSource {
    /** A zip that can be read once. */
    fun interface Zip : BundleSource {
        fun open(): InputStream
    }

    /** A folder whose files can be read once each. */
    fun interface Folder : BundleSource {
        fun files(): Sequence<SourceFile>
    }
}

/** A file of a folder that is being imported; [path] is relative to it, POSIX, as the provider says it: do not trust it. */
class SourceFile(val path: String, val open: () -> InputStream)

/**
 * The bundles of this application, each in a folder named by its hash; one of them is the active one.
 *
 * @param folder of the application's own, which no other application can write.
 */
class BundleStore(private val folder: File, private val maximumBytes: Long = Bundle.MAXIMUM_UNPACKED_BYTES) {
    private val active = File(folder, "active")

    /** The active bundle's folder; null where there is none. */
    fun active(): File? = try {
        active.takeIf(File::isFile)?.let { File(folder, it.readText().trim()) }?.takeIf(File::isDirectory)
    } catch (_: IOException) {
        null
    }

    /**
     * Takes a bundle over and checks all of it: whole or not at all. It is not the active one yet.
     *
     * @throws org.pocketclip.core.BundleException it is none, or it is newer, malformed, hostile or corrupt.
     * @throws MachineException the storage is full, or what is imported cannot be read.
     */
    fun import(source: BundleSource): Bundle {
        val incoming = File(folder, INCOMING)
        incoming.deleteRecursively()
        try {
            if (!incoming.mkdirs()) throw MachineException("cannot make $incoming: is the storage writable?")
            val unpacked = File(incoming, "bundle")
            val bundle = when (source) {
                is BundleSource.Zip -> {
                    val zip = File(incoming, "bundle.zip")
                    source.open().use { copy(it, zip, maximumBytes) }
                    Bundle.unpack(zip, unpacked, maximumBytes)
                }
                is BundleSource.Folder -> {
                    copy(source, unpacked)
                    Bundle.open(unpacked)
                }
            }
            return keep(unpacked, bundle.sha256)
        } catch (error: IOException) {
            throw MachineException("the bundle cannot be copied (${error.message}); free some space, or choose it again", error)
        } finally {
            incoming.deleteRecursively()
        }
    }

    /**
     * Makes a bundle that was imported, and that loads, the active one, and removes all others.
     *
     * @throws MachineException the storage is full.
     */
    fun activate(bundle: Bundle) {
        try {
            Hashing.writeWhole(active, bundle.folder.name.toByteArray())
        } catch (error: IOException) {
            throw MachineException("cannot write $active (${error.message}): is the storage full?", error)
        }
        folder.listFiles().orEmpty().filter { it.isDirectory && it != bundle.folder }.forEach(File::deleteRecursively)
    }

    private fun keep(unpacked: File, sha256: String): Bundle {
        val place = File(folder, sha256)
        place.deleteRecursively()
        if (!unpacked.renameTo(place)) throw MachineException("cannot move the bundle to $place: is the storage writable?")
        return Bundle.open(place)
    }

    private fun copy(source: BundleSource.Folder, target: File) {
        var left = maximumBytes
        var found = false
        for (file in source.files()) {
            if (!SAFE.matches(file.path) || file.path.split('/').any { it == "." || it == ".." }) {
                throw BundleHostileException(
                    "the folder holds '${file.path.take(80)}', a name that no bundle has; choose the bundle's own folder",
                )
            }
            found = found || file.path == BUNDLE_NAME
            val place = File(target, file.path)
            place.parentFile?.mkdirs()
            left -= file.open().use { copy(it, place, left) }
        }
        if (!found) throw BundleMissingException("the folder holds no $BUNDLE_NAME; choose the folder that has it at its top")
    }

    private fun copy(input: InputStream, file: File, limit: Long): Long {
        val copied = Hashing.copy(input, file, limit)
            ?: throw BundleHostileException("it holds more than the $maximumBytes bytes that are allowed; do not use this bundle")
        return copied.sizeBytes
    }

    private companion object {
        const val INCOMING = "incoming"

        /** As docs/bundles.md, step 2: what is outside is refused before anything is written. */
        val SAFE = Regex("[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*")
    }
}
