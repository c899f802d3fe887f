package org.pocketclip.core.bundle

import java.io.File
import java.io.IOException
import java.util.UUID
import java.util.zip.ZipEntry
import java.util.zip.ZipException
import java.util.zip.ZipFile
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.Hashing
import org.pocketclip.core.MachineException
import org.pocketclip.core.records.FileEntry

/** A bundle in a zip. Its entries are checked against its manifest before anything is unpacked. */
internal class BundleArchive(private val zip: File) {
    fun unpack(folder: File, maximumBytes: Long): Bundle {
        if (folder.exists()) throw MachineException("$folder exists already; remove it, or choose another place")
        val parent = folder.absoluteFile.parentFile ?: throw MachineException("$folder has no folder above it")
        parent.mkdirs()
        val partial = File(parent, "${folder.name}.${UUID.randomUUID()}.partial")
        try {
            opened().use { unpack(it, partial, maximumBytes) }
            // Checked where it lies, and only then given its name.
            BundleReader(partial).open()
            if (!partial.renameTo(folder)) throw MachineException("cannot make $folder: is the storage writable?")
            return Bundle.open(folder)
        } finally {
            partial.deleteRecursively()
        }
    }

    private fun opened(): ZipFile = try {
        ZipFile(zip)
    } catch (error: ZipException) {
        // Android refuses entries that leave the folder by itself, here.
        throw BundleMalformedException("$zip is no zip with a bundle (${error.message}); copy it again", error)
    } catch (error: IOException) {
        throw BundleMissingException("cannot read $zip: ${error.message}")
    }

    private fun unpack(archive: ZipFile, partial: File, maximumBytes: Long) {
        val entries = archive.entries().asSequence().toList()
        val root = root(entries)
        val manifestEntry = entries.first { it.name == root + BUNDLE_NAME }
        val content = archive.getInputStream(manifestEntry).use { input ->
            input.readNBytesOf(BundleReader.MAXIMUM_MANIFEST_BYTES.toInt() + 1)
        }
        if (content.size > BundleReader.MAXIMUM_MANIFEST_BYTES) {
            throw BundleHostileException("$zip: its $BUNDLE_NAME is larger than any manifest; do not use this bundle")
        }
        val manifest = BundleReader.parse(content, "$zip: $BUNDLE_NAME")
        BundleReader.checkPaths(manifest, "$zip: $BUNDLE_NAME")
        BundleConsistency("$zip: $BUNDLE_NAME", manifest).check()
        checkSizes(manifest, partial, maximumBytes)
        checkEntries(entries, root, manifest)
        try {
            partial.mkdirs()
            File(partial, BUNDLE_NAME).writeBytes(content)
            manifest.files.forEach { extract(archive, root, it, partial) }
        } catch (error: IOException) {
            throw MachineException("cannot unpack $zip to ${partial.parent}: ${error.message}", error)
        }
    }

    /** The folder that holds the manifest, with a slash at its end; empty where it is at the top. */
    private fun root(entries: List<ZipEntry>): String {
        if (entries.any { it.name == BUNDLE_NAME }) return ""
        val root = entries.firstOrNull()?.name?.substringBefore('/', "").orEmpty()
        val alone = root.isNotEmpty() && entries.all { it.name.startsWith("$root/") }
        if (alone && entries.any { it.name == "$root/$BUNDLE_NAME" }) {
            return "$root/"
        }
        throw BundleMissingException(
            "there is no bundle in $zip: it has no $BUNDLE_NAME at its top or in its only folder; zip a bundle's folder",
        )
    }

    private fun checkSizes(manifest: Manifest, partial: File, maximumBytes: Long) {
        if (manifest.files.any { it.sizeBytes < 0 || it.sizeBytes > maximumBytes }) {
            throw BundleHostileException("$zip lists a file of an impossible size; do not use this bundle")
        }
        val total = manifest.files.sumOf { it.sizeBytes }
        if (total > maximumBytes) {
            throw BundleHostileException(
                "$zip holds $total bytes, more than the $maximumBytes that are allowed; do not use this bundle",
            )
        }
        val free = partial.absoluteFile.parentFile?.usableSpace ?: 0
        if (total > free) throw MachineException("$zip needs $total bytes, $free are free; remove something and try again")
    }

    private fun checkEntries(entries: List<ZipEntry>, root: String, manifest: Manifest) {
        val listed = manifest.files.map { it.path }.toSet()
        val folders = listed.flatMap(SafePaths::parents).map { "$it/" }.toSet()
        val seen = mutableSetOf<String>()
        for (entry in entries) {
            val name = entry.name.removePrefix(root)
            val known = name == BUNDLE_NAME || name in listed || (entry.isDirectory && (name in folders || name.isEmpty()))
            if (!known) {
                throw BundleHostileException(
                    "$zip holds ${SafePaths.quoted(entry.name)}, which its manifest does not list; do not use this bundle",
                )
            }
            if (!seen.add(name)) {
                throw BundleHostileException("$zip holds ${SafePaths.quoted(entry.name)} twice; do not use this bundle")
            }
        }
        val missing = listed.firstOrNull { it !in seen } ?: return
        throw BundleCorruptException(
            "$zip lacks ${SafePaths.quoted(missing)}, which its manifest lists; copy it again, or make it again",
        )
    }

    private fun extract(archive: ZipFile, root: String, entry: FileEntry, partial: File) {
        val target = File(partial, entry.path)
        target.parentFile?.mkdirs()
        val found = try {
            archive.getInputStream(archive.getEntry(root + entry.path)).use { Hashing.copy(it, target, entry.sizeBytes) }
        } catch (error: ZipException) {
            throw BundleCorruptException("${entry.path} in $zip is damaged (${error.message}); copy it again", error)
        }
        if (found == null || found.sizeBytes != entry.sizeBytes || found.sha256 != entry.sha256) {
            throw BundleCorruptException(
                "${entry.path} in $zip is not what its manifest lists; copy it again, or make it again",
            )
        }
    }

    // InputStream.readNBytes is younger than the oldest Android that this runs on.
    private fun java.io.InputStream.readNBytesOf(most: Int): ByteArray {
        val made = java.io.ByteArrayOutputStream()
        val buffer = ByteArray(1 shl 16)
        while (made.size() < most) {
            val read = read(buffer, 0, minOf(buffer.size, most - made.size()))
            if (read < 0) break
            made.write(buffer, 0, read)
        }
        return made.toByteArray()
    }
}
