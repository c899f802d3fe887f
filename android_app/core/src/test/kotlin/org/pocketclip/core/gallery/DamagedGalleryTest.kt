package org.pocketclip.core.gallery

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.GalleryDamagedException
import org.pocketclip.core.GalleryException
import org.pocketclip.core.GalleryVersionException
import org.pocketclip.core.testing.TestGallery
import org.pocketclip.core.testing.versions

/** Indexes that somebody spoiled, by accident or on purpose. */
class DamagedGalleryTest {
    @TempDir
    lateinit var temporary: Path
    private val folder by lazy { temporary.resolve("gallery").toFile() }
    private val index get() = File(folder, "index.json")
    private val rows get() = File(folder, "rows-0.f16")
    private val lines get() = File(folder, "photos-0.jsonl")

    @BeforeEach
    fun write() {
        TestGallery(folder).add("a", "b", "c")
    }

    private inline fun <reified T : GalleryException> refused(vararg words: String) {
        val error = assertThrows(T::class.java) { GalleryIndex.open(folder) }
        for (word in words.toList() + "index the photos again") assertTrue(word in error.message!!, "'$word' in: ${error.message}")
        assertFalse('\n' in error.message!!)
    }

    private fun change(old: String, new: String) {
        val text = index.readText()
        assertTrue(old in text, "$old in $text")
        index.writeText(text.replace(old, new))
    }

    @Test
    fun `another version is said`() {
        change("\"schema_version\":1", "\"schema_version\":2,\"new\":0")
        refused<GalleryVersionException>("version 2", "version 1")
    }

    @Test
    fun `an index that says odd things is refused`() {
        val sound = index.readText()
        for ((old, new) in listOf(
            "\"schema_version\":1," to "",
            "\"width\":6" to "\"width\":0",
            "\"width\":6" to "\"width\":65537",
            "\"width\":6" to "\"width\":6.0",
            "\"width\":6" to "\"width\":\"6\"",
            "\"width\":6" to "\"width\":6,\"width\":6",
            "\"width\":6" to "\"width\":6,\"unknown\":6",
            "\"model\":\"tiny\"" to "\"model\":\"../tiny\"",
            "\"model\":\"tiny\"" to "\"model\":\"${"x".repeat(101)}\"",
            "bbbb" to "BBBB",
            "aaaa" to "aaa",
            "content://folder" to "",
            "\"artifact\":\"tiny\"" to "\"artifact\":\"${"x".repeat(4097)}\"",
            "\"generation\":0" to "\"generation\":-1",
            "\"generation\":0" to "\"generation\":9007199254740992",
            "}" to "",
        )) {
            index.writeText(sound.replaceFirst(old, new))
            refused<GalleryDamagedException>("index.json")
        }
        index.writeText(" ".repeat(1 shl 20) + sound)
        refused<GalleryDamagedException>("bytes")
        index.writeBytes(byteArrayOf(0x7B, 0xFF.toByte(), 0x7D))
        refused<GalleryDamagedException>("UTF-8")
    }

    @Test
    fun `a line in the middle that is none is refused`() {
        val sound = lines.readText()
        for (odd in listOf(
            "", "x", "[]", "{}", "null",
            """{"photo":"d","version":"1","row":0,"unknown":1}""",
            """{"photo":"d","photo":"e","version":"1","row":0}""",
            """{"photo":"","version":"1","row":0}""",
            """{"photo":7,"version":"1","row":0}""",
            """{"photo":"d","version":1,"row":0}""",
            """{"photo":"d","version":"${"1".repeat(101)}","row":0}""",
            """{"photo":"d","version":"1","row":"0"}""",
            """{"photo":"d","version":"1","row":-1}""",
            """{"photo":"d","version":"1","row":+1}""",
            """{"photo":"d","version":"1","row":1e1}""",
            """{"photo":"d","version":"1","row":10000001}""",
            """{"photo":"d","version":"1","row":99999999999999999999}""",
            """{"photo":"d","version":"1","row":true}""",
            """{"photo":"d","version":"1","row":[0]}""",
            """{"photo":"d","version":"1","row":0,"name":5}""",
            """{"photo":"d","version":"1","row":0,"name":"${"x".repeat(4097)}"}""",
            """{"photo":"${"x".repeat(4097)}","version":"1","row":0}""",
            "[".repeat(5_000) + "]".repeat(5_000),
        )) {
            lines.writeText("$odd\n$sound")
            refused<GalleryDamagedException>("photos-0.jsonl, line 1")
        }
        lines.writeBytes(sound.toByteArray() + byteArrayOf(0x22, 0xC3.toByte(), 0x22, 0x0A))
        refused<GalleryDamagedException>("photos-0.jsonl, line 4", "UTF-8")
    }

    @Test
    fun `a line without an end is refused once it is too long to be half a line`() {
        val line = """{"photo":"d","version":"1","row":0}"""
        lines.writeText(line.padEnd((1 shl 16) - 1))
        assertEquals(emptyMap<String, String>(), GalleryIndex.open(folder).versions())
        lines.writeText(line.padEnd(1 shl 16))
        refused<GalleryDamagedException>("line 1", "65536")
        lines.writeText(line.padEnd((1 shl 16) - 1) + "\n")
        assertEquals(setOf("d"), GalleryIndex.open(folder).versions().keys)
    }

    @Test
    fun `fields may be left out, or null`() {
        lines.writeText("""{"photo":"d","version":"1","row":0,"name":null}""" + "\n" + """{"photo":"e","version":null,"row":1}""" + "\n")
        assertEquals(setOf("d"), GalleryIndex.open(folder).versions().keys)
    }

    @Test
    fun `two photos of one row are refused`() {
        lines.appendText("""{"photo":"d","version":"1","row":1}""" + "\n")
        refused<GalleryDamagedException>("row 1")
        lines.appendText("""{"photo":"b"}""" + "\n")
        assertEquals(setOf("a", "c", "d"), GalleryIndex.open(folder).versions().keys)
    }

    @Test
    fun `rows that are no embeddings are refused, unless they are of no photo`() {
        val sound = rows.readBytes()
        // NaN, infinity, another length.
        for (half in listOf(0x7E00, 0x7C00, 0xFC00, 0x4000)) {
            val spoiled = sound.copyOf()
            spoiled[2 * TestGallery.WIDTH + 4] = half.toByte()
            spoiled[2 * TestGallery.WIDTH + 5] = (half shr 8).toByte()
            rows.writeBytes(spoiled)
            refused<GalleryDamagedException>("row 1", "'b'")
        }
        lines.appendText("""{"photo":"b"}""" + "\n")
        assertEquals(setOf("a", "c"), GalleryIndex.open(folder).versions().keys)
    }

    @Test
    fun `a width that is not that of the rows is found`() {
        change("\"width\":6", "\"width\":5")
        refused<GalleryDamagedException>("length 1")
    }

    @Test
    fun `without its files an index is empty`() {
        rows.delete()
        assertEquals(0, GalleryIndex.open(folder).photoCount)
        lines.delete()
        assertEquals(0, GalleryIndex.open(folder).photoCount)
        TestGallery(folder).add("d")
        assertEquals(setOf("d"), GalleryIndex.open(folder).versions().keys)
    }

    @Test
    fun `more rows than an index can have are refused`() {
        change("\"width\":6", "\"width\":1")
        java.io.RandomAccessFile(rows, "rw").use { it.setLength(2L * 10_000_002) }
        refused<GalleryDamagedException>("10000002 rows")
    }

    @Test
    fun `an index whose files are folders is refused`() {
        lines.delete()
        lines.mkdir()
        assertEquals(0, GalleryIndex.open(folder).photoCount)
        assertThrows(org.pocketclip.core.MachineException::class.java) { TestGallery(folder).add("d") }
        rows.delete()
        rows.mkdir()
        val error = runCatching { GalleryIndex.open(folder) }.exceptionOrNull()
        assertTrue(error == null || error is GalleryException, "$error")
    }
}
