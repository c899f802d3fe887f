package org.pocketclip.core

import java.io.File
import java.io.FileInputStream
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import java.security.MessageDigest
import org.pocketclip.core.records.FileEntry

/** SHA-256 as hex digits, and files written whole. */
object Hashing {
    private const val CHUNK = 1 shl 16

    fun sha256(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

    /** Of a file's content, read in pieces. */
    @Throws(IOException::class)
    fun sha256(file: File): String = FileInputStream(file).use { input ->
        val digest = MessageDigest.getInstance("SHA-256")
        copy(input, Long.MAX_VALUE) { buffer, length -> digest.update(buffer, 0, length) }
        hex(digest.digest())
    }

    /** One hash over paths and contents of files, whatever their order: the identity of artefacts and bundles. */
    fun sha256(files: List<FileEntry>): String {
        val digest = MessageDigest.getInstance("SHA-256")
        files.sortedBy { it.path }.forEach { digest.update("${it.path}\u0000${it.sha256}\n".toByteArray()) }
        return hex(digest.digest())
    }

    /** What is wrong with a listed file, in words; null where size and hash are right. */
    fun fault(file: File, entry: FileEntry): String? {
        if (!file.isFile) return "$file is missing"
        val size = file.length()
        if (size != entry.sizeBytes) {
            return "$file has $size bytes, ${entry.sizeBytes} are listed: the file is truncated or was replaced"
        }
        val found = try {
            sha256(file)
        } catch (error: IOException) {
            return "$file cannot be read (${error.message})"
        }
        if (found == entry.sha256) return null
        return "$file has the hash ${found.take(SHORT)}..., ${entry.sha256.take(SHORT)}... is listed: the file was altered"
    }

    /**
     * Copies a stream into a file, `limit` bytes at most, and returns length and hash of what came.
     *
     * @return null where the stream holds more.
     */
    @Throws(IOException::class)
    fun copy(input: InputStream, file: File, limit: Long): FileEntry? {
        val digest = MessageDigest.getInstance("SHA-256")
        val length = FileOutputStream(file).use { output ->
            copy(input, limit) { buffer, length ->
                digest.update(buffer, 0, length)
                output.write(buffer, 0, length)
            }.also { output.fd.sync() }
        }
        return if (length == null) null else FileEntry(file.name, length, hex(digest.digest()))
    }

    /** Writes a file whole or not at all: under another name first, on the disk before it gets its own. */
    @Throws(IOException::class)
    fun writeWhole(file: File, bytes: ByteArray) {
        file.absoluteFile.parentFile?.mkdirs()
        val partial = File(file.path + ".partial")
        FileOutputStream(partial).use { output ->
            output.write(bytes)
            output.fd.sync()
        }
        Files.move(partial.toPath(), file.toPath(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING)
    }

    private inline fun copy(input: InputStream, limit: Long, take: (ByteArray, Int) -> Unit): Long? {
        val buffer = ByteArray(CHUNK)
        var length = 0L
        while (true) {
            val read = input.read(buffer)
            if (read < 0) return length
            length += read
            if (length > limit) return null
            take(buffer, read)
        }
    }

    private fun hex(bytes: ByteArray): String = bytes.joinToString("") { byte ->
        (byte.toInt() and 0xFF).toString(radix = 16).padStart(2, '0')
    }

    private const val SHORT = 12
}
