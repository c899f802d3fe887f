package org.pocketclip.core.bench

import java.io.File
import java.io.IOException
import java.util.zip.CRC32
import java.util.zip.CheckedInputStream
import java.util.zip.ZipEntry
import java.util.zip.ZipException
import java.util.zip.ZipFile
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.records.LOOP_VERSION
import org.pocketclip.core.records.LoopOrder

/** The zip that a hosted farm puts on its phone: an order, and a folder with all that its launches need. */
internal class LoopPackage(private val zip: File) {
    /**
     * Checks the whole zip, unpacks it below [external], and gives the order.
     *
     * @throws InputException it is missing, damaged, of another version, or names what lies outside of its folder.
     * @throws MachineException it cannot be written.
     */
    fun unpack(external: File): LoopOrder = try {
        ZipFile(zip).use { archive -> unpack(archive, external) }
    } catch (error: ZipException) {
        throw InputException("the package ${zip.name} is no zip, or a damaged one: ${error.message}", error)
    } catch (error: IOException) {
        throw MachineException("the package ${zip.name} cannot be read or unpacked: ${error.message}", error)
    }

    private fun unpack(archive: ZipFile, external: File): LoopOrder {
        val entries = archive.entries().asSequence().toList()
        val order = order(archive, entries)
        val rest = entries.filter { it.name != ORDER }
        val folder = "${order.token}/"
        rest.firstOrNull { !it.name.startsWith(folder) }?.let { bad("it holds ${SafePaths.quoted(it.name)} beside its folder") }
        SafePaths.fault(rest.map { it.name })?.let { bad("it holds $it") }
        if (rest.size > MOST_FILES || rest.any { it.size < 0 }) bad("it has more files than a package, or of unknown sizes")
        val needed = rest.sumOf { it.size }
        val free = external.usableSpace
        if (needed > free) throw MachineException("the package takes $needed bytes, $free are free on the phone")
        File(external, order.token).deleteRecursively()
        for (entry in rest) {
            val target = File(external, entry.name)
            target.parentFile?.mkdirs()
            // Java's reader of zips does not look at what it announces of a file.
            val checked = CheckedInputStream(archive.getInputStream(entry), CRC32())
            val found = checked.use { Hashing.copy(it, target, entry.size) }
            if (found?.sizeBytes != entry.size || checked.checksum.value != entry.crc) {
                bad("${SafePaths.quoted(entry.name)} is not what it announces")
            }
        }
        return order
    }

    private fun order(archive: ZipFile, entries: List<ZipEntry>): LoopOrder {
        val entry = entries.singleOrNull { it.name == ORDER } ?: bad("it has no $ORDER, or several")
        if (entry.size !in 0..MOST_ORDER_BYTES) bad("its $ORDER is larger than any order")
        val text = archive.getInputStream(entry).use { it.readBytes() }.decodeToString()
        val version = Documents.wholeNumber(Documents.parse(text, ORDER), "loop_version")
        if (version != LOOP_VERSION) {
            bad("its order has version ${version ?: "none"}, wanted $LOOP_VERSION; build the application that belongs to bench")
        }
        val order = Documents.read(LoopOrder.serializer(), text, ORDER)
        val folders = order.launches.map { it.folder }
        if (!NAME.matches(order.token) || !folders.all(NAME::matches) || folders.toSet().size != folders.size) {
            bad("its order has names that are no plain ones, or one twice")
        }
        if (order.launches.any { it.action !in ACTIONS }) bad("its order has an action that is none of $ACTIONS")
        if (order.limitSeconds !in 1..LONGEST_S || order.restSeconds !in 0..LONGEST_S) bad("its order's seconds are impossible")
        return order
    }

    private fun bad(words: String): Nothing = throw InputException("the package ${zip.name} cannot be used: $words")

    private companion object {
        const val ORDER = "loop.json"
        const val MOST_ORDER_BYTES = 1L shl 20
        const val MOST_FILES = 10_000
        const val LONGEST_S = 86_400
        val NAME = Regex("[a-z0-9][a-z0-9-]{0,79}")
        val ACTIONS = setOf("stage", "measure")
    }
}
