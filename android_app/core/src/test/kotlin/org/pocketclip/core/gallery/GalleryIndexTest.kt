package org.pocketclip.core.gallery

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.GalleryBusyException
import org.pocketclip.core.GalleryMissingException
import org.pocketclip.core.GalleryOtherException
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.testing.TestGallery
import org.pocketclip.core.testing.versions

/** The index on disk, and what becomes of it when it is written. */
class GalleryIndexTest {
    @TempDir
    lateinit var temporary: Path
    private val folder by lazy { temporary.resolve("gallery/one").toFile() }
    private val gallery by lazy { TestGallery(folder) }
    private val rows get() = File(folder, "rows-0.f16")
    private val lines get() = File(folder, "photos-0.jsonl")

    private fun reopened() = GalleryIndex.open(folder)

    /** The row of a photo, as it is searched. */
    private fun GalleryIndex.row(photo: String): FloatArray {
        val (found, rows) = checkNotNull(content.rows.find(photo))
        val row = ShortArray(identity.width).also { rows.read(found.row, it) }
        return FloatArray(row.size) { HalfFloats.toFloat(row[it]) }
    }

    @Test
    fun `what is added is found at once, and after it was opened again`() {
        val (first, second) = gallery.vector() to gallery.vector()
        val index = gallery.open()
        index.write().use { writer ->
            writer.add("content://a", "1", first, "a \"quoted\" ä.jpg")
            writer.add("content://b", "2", second)
            assertEquals("content://a", index.nearest(first, 1).single().photo.photo)
            assertFalse(lines.length() > 0, "nothing is on the disk yet")
        }
        for (each in listOf(index, reopened(), gallery.open())) {
            assertEquals(2, each.photoCount)
            assertEquals(gallery.identity, each.identity)
            assertEquals(listOf("a \"quoted\" ä.jpg", "content://b"), each.photos().map { it.shownName })
            assertArrayEquals(first, each.row("content://a"), 1e-3f)
            assertArrayEquals(second, each.row("content://b"), 1e-3f)
        }
        assertEquals(
            """{"photo":"content://a","version":"1","row":0,"name":"a \"quoted\" ä.jpg"}""" + "\n" +
                """{"photo":"content://b","version":"2","row":1}""" + "\n",
            lines.readText(),
        )
        assertEquals(2L * 2 * TestGallery.WIDTH, rows.length())
    }

    @Test
    fun `photos are replaced and forgotten`() {
        val other = gallery.vector()
        gallery.add("a", "b", "c")
        val index = gallery.write { writer ->
            writer.add("a", "2", other)
            writer.forget("b")
            writer.forget("never there")
        }
        for (each in listOf(index, reopened())) {
            assertEquals(mapOf("a" to "2", "c" to "1"), each.versions())
            assertEquals(4, each.rowCount)
            assertArrayEquals(other, each.row("a"), 1e-3f)
            assertEquals(setOf("a", "c"), each.nearest(other, 9).map { it.photo.photo }.toSet())
            assertThrows(InputException::class.java) { each.similar("b", 1) }
        }
        assertEquals(listOf("""{"photo":"a","version":"2","row":3}""", """{"photo":"b"}"""), lines.readLines().drop(3))
    }

    @Test
    fun `a process that was killed has lost what was half written, and nothing else`() {
        gallery.add("a", "b")
        val (wholeRows, wholeLines) = rows.readBytes() to lines.readBytes()
        rows.appendBytes(ByteArray(2 * TestGallery.WIDTH + 3))
        lines.appendText("""{"photo":"c","version":"1","ro""")
        assertEquals(mapOf("a" to "1", "b" to "1"), reopened().versions())
        assertEquals(wholeLines.size + 30L, lines.length(), "reading changes nothing")
        val index = gallery.open()
        index.write().use { }
        assertArrayEquals(wholeLines, lines.readBytes())
        assertArrayEquals(wholeRows + ByteArray(2 * TestGallery.WIDTH), rows.readBytes(), "a whole row without a line is of no photo")
        val vector = gallery.vector()
        index.write().use { it.add("c", "1", vector) }
        assertArrayEquals(vector, reopened().row("c"), 1e-3f)
    }

    @Test
    fun `a line whose row is missing counts as not written, and never gets another row`() {
        gallery.add("a", "b", "c")
        rows.writeBytes(rows.readBytes().copyOf(2 * TestGallery.WIDTH * 2 + 1))
        assertEquals(setOf("a", "b"), reopened().versions().keys)
        val vector = gallery.vector()
        gallery.write { it.add("d", "1", vector) }
        val index = reopened()
        assertEquals(setOf("a", "b", "d"), index.versions().keys)
        assertEquals(1, index.identity.generation)
        assertArrayEquals(vector, index.row("d"), 1e-3f)
    }

    @Test
    fun `cut anywhere, the log says what its whole lines say`() {
        gallery.write { writer ->
            for (photo in listOf("ä", "b", "c")) writer.add(photo, "1", gallery.vector())
            writer.forget("b")
            writer.add("c", "2", gallery.vector())
        }
        val whole = lines.readBytes()
        val known = listOf(mapOf(), mapOf("ä" to "1"), mapOf("ä" to "1", "b" to "1"), mapOf("ä" to "1", "b" to "1", "c" to "1")) +
            listOf(mapOf("ä" to "1", "c" to "1"), mapOf("ä" to "1", "c" to "2"))
        for (length in 0..whole.size) {
            lines.writeBytes(whole.copyOf(length))
            assertEquals(known[whole.take(length).count { it == '\n'.code.toByte() }], reopened().versions(), "$length bytes")
        }
    }

    @Test
    fun `once half of many rows are forgotten, a new generation is without them`() {
        val names = List(2_100) { "photo $it" }
        val vectors = names.map { gallery.vector() }
        gallery.write { writer -> names.zip(vectors).forEach { (name, vector) -> writer.add(name, "1", vector) } }
        val before = gallery.open()
        val searched = before.content.rows.seen
        val index = gallery.write { writer -> names.take(999).forEach(writer::forget) }
        assertEquals(2_100, index.rowCount, "it does not pay yet")
        index.write().use { writer -> names.subList(999, 1_051).forEach(writer::forget) }
        for (each in listOf(index, reopened())) {
            assertEquals(1, each.identity.generation)
            assertEquals(1_049, each.rowCount)
            assertEquals(names.drop(1_051), each.photos().map { it.photo })
            assertArrayEquals(vectors[1_777], each.row("photo 1777"), 1e-3f)
        }
        assertEquals(setOf(".index.lock", "index.json", "rows-1.f16", "photos-1.jsonl"), folder.list()!!.toSet())
        assertEquals("photo 0", Nearest(searched, vectors[0], 1).search(1).single().photo.photo, "who searches goes on")
        index.write().use { it.add("another", "1", gallery.vector()) }
        assertEquals(1_050, reopened().photoCount)
    }

    @Test
    fun `a generation that was not finished is removed`() {
        gallery.add("a")
        val left = listOf("rows-1.f16", "photos-1.jsonl", "rows-77.f16").map { File(folder, it).apply { writeText("half") } }
        val others = File(folder, "rows-x.f16").apply { writeText("not of an index") }
        gallery.open().write().close()
        assertTrue(left.none(File::exists))
        assertTrue(others.exists())
        assertEquals(setOf("a"), reopened().versions().keys)
    }

    @Test
    fun `files without an index are not taken for one`() {
        gallery.add("a", "b")
        File(folder, "index.json").delete()
        assertThrows(GalleryMissingException::class.java) { reopened() }
        assertEquals(0, gallery.open().photoCount)
        gallery.add("c")
        assertEquals(mapOf("c" to 0), reopened().photos().associate { it.photo to it.row })
    }

    @Test
    fun `only one writes at a time, and an index that was changed meanwhile is read again`() {
        val index = gallery.add("a")
        val other = gallery.open()
        other.write().use { writer ->
            assertThrows(GalleryBusyException::class.java) { index.write() }
            writer.add("b", "1", gallery.vector())
        }
        assertEquals(1, index.photoCount)
        index.write().use { it.add("c", "1", gallery.vector()) }
        assertEquals(setOf("a", "b", "c"), index.versions().keys)
        assertEquals(setOf("a", "b", "c"), reopened().versions().keys)
        folder.deleteRecursively()
        index.write().use { it.add("d", "1", gallery.vector()) }
        assertEquals(setOf("d"), reopened().versions().keys)
    }

    @Test
    fun `embeddings of another model or folder are not used`() {
        gallery.add("a")
        val own = gallery.identity
        for (other in listOf(own.copy(imageSha256 = "c".repeat(64)), own.copy(width = 7), own.copy(folder = "content://other"))) {
            val error = assertThrows(GalleryOtherException::class.java) { GalleryIndex.open(folder, other) }
            assertTrue("index the photos again" in error.message!!)
        }
        assertEquals(1, GalleryIndex.open(folder, own.copy(model = "renamed", artifact = "moved")).photoCount)
    }

    @Test
    fun `names that no index can have are refused`() {
        for (odd in listOf(gallery.identity.copy(folder = "x".repeat(4097)), gallery.identity.copy(model = "a/b"))) {
            assertThrows(InputException::class.java) { GalleryIndex.open(folder, odd) }
        }
        gallery.write { writer ->
            for ((photo, version) in listOf("" to "1", "x".repeat(4097) to "1", "a" to "1".repeat(101))) {
                assertThrows(InputException::class.java) { writer.add(photo, version, gallery.vector()) }
            }
            writer.add("😀".repeat(4096), "1".repeat(100), gallery.vector(), "")
        }
        assertEquals("", reopened().photos().single().name)
    }

    @Test
    fun `what is no embedding is a mistake in the program`() {
        gallery.write { writer ->
            for (odd in listOf(FloatArray(5), FloatArray(6), FloatArray(6) { 1f }, FloatArray(6) { Float.NaN })) {
                assertThrows(IllegalArgumentException::class.java) { writer.add("a", "1", odd) }
            }
        }
        val writer = gallery.open().write().apply { close() }
        assertThrows(IllegalStateException::class.java) { writer.add("a", "1", gallery.vector()) }
        assertThrows(IllegalStateException::class.java) { writer.forget("a") }
        writer.close()
        for (query in listOf(FloatArray(5), FloatArray(6) { Float.NaN }, FloatArray(6) { 1e9f })) {
            assertThrows(IllegalArgumentException::class.java) { reopened().nearest(query, 1) }
        }
    }

    @Test
    fun `after a storage that was full everything can be written again`() {
        val index = gallery.add("a")
        val writer = index.write()
        writer.add("b", "1", gallery.vector())
        // A folder where the log was: it cannot be opened for writing.
        val kept = lines.readBytes()
        lines.delete()
        lines.mkdir()
        assertThrows(MachineException::class.java) { writer.flush() }
        assertEquals(2, index.photoCount)
        lines.delete()
        lines.writeBytes(kept)
        writer.add("c", "1", gallery.vector())
        writer.close()
        assertEquals(listOf("a" to 0, "b" to 1, "c" to 2), reopened().photos().map { it.photo to it.row })
        assertNull(index.photos().first().name)
        temporary.resolve("file").toFile().writeText("")
        assertThrows(MachineException::class.java) { TestGallery(temporary.resolve("file/below").toFile()).open().write() }
    }

    @Test
    fun `rows of full blocks are read from the file again`() {
        val wide = TestGallery(folder, width = 65_536)
        val vectors = List(20) { wide.vector() }
        val index = wide.open()
        index.write().use { writer ->
            vectors.forEachIndexed { place, vector ->
                writer.add("$place", "1", vector)
                if (place % 3 == 0) writer.flush()
            }
            writer.add("3", "2", vectors[0])
            writer.forget("0")
        }
        assertFalse(index.content.rows.seen.blocks.dropLast(1).any { it.isWritable })
        for (each in listOf(index, reopened())) {
            assertEquals(19, each.photoCount)
            for (photo in listOf(1, 7, 8, 19)) assertArrayEquals(vectors[photo], each.row("$photo"), 1e-3f)
            assertEquals("3", each.nearest(vectors[0], 1).single().photo.photo)
        }
    }
}
