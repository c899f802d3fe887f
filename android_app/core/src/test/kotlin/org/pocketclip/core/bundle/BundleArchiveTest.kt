package org.pocketclip.core.bundle

import java.io.File
import java.nio.file.Path
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.MachineException
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.testing.TestBundle

class BundleArchiveTest {
    @TempDir
    lateinit var temporary: Path
    private val source by lazy { temporary.resolve("source").toFile() }
    private val zip by lazy { temporary.resolve("clip.zip").toFile() }
    private val target by lazy { temporary.resolve("unpacked/clip.bundle").toFile() }
    private lateinit var made: TestBundle

    @BeforeEach
    fun write() {
        made = TestBundle(source).write()
    }

    /** The source's files as a zip; `also` adds entries, `replaced` has other contents. */
    private fun pack(
        root: String = "",
        also: Map<String, ByteArray> = emptyMap(),
        replaced: Map<String, ByteArray> = emptyMap(),
        without: Set<String> = emptySet(),
    ) {
        ZipOutputStream(zip.outputStream()).use { output ->
            for (file in source.walk().filter { it.isFile }) {
                val name = file.relativeTo(source).invariantSeparatorsPath
                if (name in without) continue
                output.putNextEntry(ZipEntry(root + name))
                output.write(replaced[name] ?: file.readBytes())
            }
            also.forEach { (name, content) ->
                output.putNextEntry(ZipEntry(name))
                output.write(content)
            }
        }
    }

    private inline fun <reified T : PocketClipException> refused(vararg words: String, maximum: Long = 1L shl 30) {
        val error = assertThrows(T::class.java) { Bundle.unpack(zip, target, maximum) }
        words.forEach { assertTrue(it in error.message.orEmpty(), "'$it' in: ${error.message}") }
        assertFalse(target.exists())
        assertEquals(emptyList<String>(), target.parentFile.list().orEmpty().toList(), "nothing is left behind")
        assertFalse(temporary.resolve("escaped").toFile().exists())
    }

    @Test
    fun `a tensor beyond any memory is refused before anything is unpacked`() {
        made.edit { manifest ->
            val labels = checkNotNull(manifest.labels)
            val huge = labels.embeddings.copy(shape = listOf(1 shl 22, 90))
            manifest.copy(
                labels = labels.copy(embeddings = huge),
                files = manifest.files.map { if (it.path == huge.file) it.copy(sizeBytes = (1L shl 22) * 90 * 4) else it },
            )
        }
        pack()
        refused<BundleCorruptException>("at most 67108864 are read", maximum = Bundle.MAXIMUM_UNPACKED_BYTES)
    }

    @Test
    fun `a bundle at the top or in a folder is unpacked whole`() {
        pack(also = mapOf("golden/" to ByteArray(0)))
        assertEquals("tiny", Bundle.unpack(zip, target).manifest.model.name)
        target.deleteRecursively()
        pack(root = "my clip.bundle/")
        assertEquals(target, Bundle.unpack(zip, target).folder)
        val error = assertThrows(MachineException::class.java) { Bundle.unpack(zip, target) }
        assertTrue("exists already" in error.message.orEmpty())
    }

    @Test
    fun `entries that leave the folder or are not listed`() {
        for (name in listOf("../escaped", "/escaped", "golden/../../escaped", "image/extra.bin", "__MACOSX/x", "other/")) {
            pack(also = mapOf(name to ByteArray(3)))
            refused<BundleHostileException>("does not list")
        }
        pack(root = "root/", also = mapOf("root/../escaped" to ByteArray(1)))
        refused<BundleHostileException>("does not list")
    }

    @Test
    fun `a bomb is never unpacked`() {
        pack(replaced = mapOf("image/model.onnx" to ByteArray(50_000_000)))
        refused<BundleCorruptException>("is not what its manifest lists")
        pack(replaced = mapOf(BUNDLE_NAME to ByteArray(20_000_000) { ' '.code.toByte() }))
        refused<BundleHostileException>("larger than any manifest")
        pack()
        refused<BundleHostileException>("more than", maximum = 196_000)
        made.edit { manifest -> manifest.copy(files = manifest.files.map { it.copy(sizeBytes = if (it.path.startsWith("image/")) -5 else it.sizeBytes) }) }
        pack()
        refused<BundleHostileException>("impossible size")
        made.edit { manifest -> manifest.copy(files = manifest.files.map { it.copy(sizeBytes = Long.MAX_VALUE / 64) }) }
        pack()
        refused<BundleHostileException>("impossible size", maximum = Long.MAX_VALUE)
    }

    @Test
    fun `contents that are missing, altered or hostile`() {
        pack(without = setOf("image/model.onnx"))
        refused<BundleCorruptException>("lacks", "image/model.onnx")
        pack(replaced = mapOf("image/model.onnx" to "A model".toByteArray()))
        refused<BundleCorruptException>("is not what its manifest lists")
        made.edit { manifest -> manifest.copy(files = manifest.files.map { if (it.path == "image/model.onnx") it.copy(path = "../escaped") else it }) }
        pack()
        refused<BundleHostileException>("leaves the folder")
    }

    @Test
    fun `what is no zip, has no bundle, or is damaged`() {
        val error = assertThrows(BundleMissingException::class.java) { Bundle.unpack(File("/nowhere.zip"), target) }
        assertTrue("cannot read" in error.message.orEmpty())
        zip.writeText("no zip")
        refused<BundleMalformedException>("is no zip")
        pack(without = setOf(BUNDLE_NAME))
        refused<BundleMissingException>("there is no bundle")
        ZipOutputStream(zip.outputStream()).use { it.putNextEntry(ZipEntry("readme")) }
        refused<BundleMissingException>("there is no bundle")
        pack()
        val bytes = zip.readBytes()
        // In the first file's packed content.
        for (place in 60..90) bytes[place] = (bytes[place] + 17).toByte()
        zip.writeBytes(bytes)
        val damaged = assertThrows(PocketClipException::class.java) { Bundle.unpack(zip, target) }
        assertTrue(damaged.message.orEmpty().isNotEmpty())
        assertFalse(target.exists())
    }

    @Test
    fun `an entry that stands twice`() {
        pack()
        // Java does not write two entries of one name: one is renamed in the bytes, in both places where it stands.
        val also = "golden/wide.rgX".toByteArray()
        pack(also = mapOf(String(also) to ByteArray(4)))
        val text = String(zip.readBytes(), Charsets.ISO_8859_1).replace("golden/wide.rgX", "golden/wide.rgb")
        zip.writeBytes(text.toByteArray(Charsets.ISO_8859_1))
        refused<BundleHostileException>("twice")
    }
}
