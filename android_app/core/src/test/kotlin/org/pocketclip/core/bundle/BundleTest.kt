package org.pocketclip.core.bundle

import java.io.File
import java.io.RandomAccessFile
import java.nio.file.Files
import java.nio.file.Path
import kotlin.random.Random
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleException
import org.pocketclip.core.BundleForeignException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.BundleTooNewException
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.testing.TestBundle

class BundleTest {
    @TempDir
    lateinit var temporary: Path
    private val folder: File by lazy { temporary.resolve("clip.bundle").toFile() }
    private val made by lazy { TestBundle(folder).write() }
    private val json get() = File(folder, BUNDLE_NAME)

    private inline fun <reified T : BundleException> refused(vararg words: String) {
        val error = assertThrows(T::class.java) { Bundle.open(folder) }
        words.forEach { assertTrue(it in error.message.orEmpty(), "'$it' in: ${error.message}") }
    }

    private fun change(old: String, new: String) {
        val text = json.readText()
        assertTrue(old in text, old)
        json.writeText(text.replace(old, new))
    }

    @Test
    fun `a sound bundle opens`() {
        made
        File(folder, ".DS_Store").writeText("Finder was here")
        val bundle = Bundle.open(folder)
        assertEquals("tiny", bundle.manifest.model.name)
        assertEquals(64, bundle.sha256.length)
        assertEquals(7L, bundle.modelSizeBytes(bundle.manifest.image))
        assertTrue(bundle.modelFile(bundle.manifest.text).path.isFile)
        assertEquals(2, bundle.samples(bundle.manifest.endToEnd.preprocessed).size)
        assertThrows(IllegalArgumentException::class.java) { bundle.integers(bundle.manifest.endToEnd.imageEmbeddings) }
    }

    @Test
    fun `no bundle at all`() {
        refused<BundleMissingException>("pocketclip bundle")
        folder.mkdirs()
        refused<BundleMissingException>("no $BUNDLE_NAME")
    }

    @Test
    fun `newer schemas are told from malformed manifests`() {
        made
        change("\"schema_version\":1", "\"schema_version\":4,\"new_field\":0")
        refused<BundleTooNewException>("schema version 4", "update")
        change("\"schema_version\":4,\"new_field\":0", "\"schema_version\":3,\"new_field\":0")
        refused<BundleForeignException>("for iPhones, with Core ML and Core AI", "onnx, executorch or tflite")
        change("\"schema_version\":3,\"new_field\":0", "\"schema_version\":\"1\"")
        refused<BundleMalformedException>("schema_version")
        change("\"schema_version\":\"1\"", "\"schema_version\":0")
        refused<BundleMalformedException>("schema_version")
    }

    @Test
    fun `manifests that are no JSON, no UTF-8, truncated or endless`() {
        made
        val whole = json.readText()
        json.writeText(whole.dropLast(2))
        refused<BundleMalformedException>("make the bundle again")
        json.writeText("[".repeat(100_000))
        refused<BundleMalformedException>()
        json.writeBytes(byteArrayOf(-1, -2, 123))
        refused<BundleMalformedException>("UTF-8")
        RandomAccessFile(json, "rw").use { it.setLength(17L shl 20) }
        refused<BundleMalformedException>("more than any manifest")
    }

    @Test
    fun `unknown, missing, quoted and non-finite fields`() {
        made
        val whole = json.readText()
        for ((old, new) in listOf(
            "\"generator\":" to "\"extra\":1,\"generator\":",
            "\"generator\":\"test\"," to "",
            "\"embedding_dim\":8" to "\"embedding_dim\":\"8\"",
            "\"normalized\":false" to "\"normalized\":\"false\"",
            "\"logit_scale\":100.0" to "\"logit_scale\":NaN",
            "\"logit_scale\":100.0" to "\"logit_scale\":1e999",
            "\"resize_mode\":\"shortest\"" to "\"resize_mode\":\"stretch\"",
        )) {
            change(old, new)
            refused<BundleMalformedException>("make the bundle again")
            json.writeText(whole)
        }
        Bundle.open(folder)
    }

    @Test
    fun `paths that leave the folder or clash`() {
        made
        for (path in listOf(
            "../outside", "/etc/passwd", "C:/windows", "a/../../b", "a//b", "./a", "a\\\\b", "a/.hidden", "sp ace", "é", "x".repeat(201),
        )) {
            val whole = json.readText()
            change("\"path\":\"golden/wide.rgb\"", "\"path\":\"$path\"")
            refused<BundleHostileException>("do not use this bundle")
            json.writeText(whole)
        }
        change("\"path\":\"golden/wide.rgb\"", "\"path\":\"Golden/TALL.rgb\"")
        refused<BundleHostileException>("the same file on some systems")
        change("\"path\":\"Golden/TALL.rgb\"", "\"path\":\"image/model.onnx/weights\"")
        refused<BundleHostileException>("as a file and as a folder")
        change("\"path\":\"image/model.onnx/weights\"", "\"path\":\"Bundle.json\"")
        refused<BundleHostileException>("lists itself")
    }

    @Test
    fun `links, also above a file`() {
        made
        val file = File(folder, "golden/wide.rgb")
        val outside = temporary.resolve("outside.rgb")
        Files.move(file.toPath(), outside)
        Files.createSymbolicLink(file.toPath(), outside)
        refused<BundleHostileException>("is a link")
        Files.delete(file.toPath())
        Files.move(outside, file.toPath())
        Files.move(folder.resolve("golden").toPath(), temporary.resolve("golden"))
        Files.createSymbolicLink(folder.resolve("golden").toPath(), temporary.resolve("golden"))
        refused<BundleHostileException>("is a link")
    }

    @Test
    fun `files that are missing, truncated, altered or not listed`() {
        made
        val model = File(folder, "image/model.onnx")
        val whole = model.readBytes()
        model.writeBytes(whole.copyOf(whole.size - 1))
        refused<BundleCorruptException>("truncated", "copy the bundle again")
        model.writeBytes(whole.copyOf().also { it[0] = 1 })
        refused<BundleCorruptException>("altered")
        model.delete()
        refused<BundleCorruptException>("is missing")
        model.writeBytes(whole)
        File(folder, "image/model.onnx.data").writeText("weights that nobody listed")
        refused<BundleHostileException>("does not list", "remove it")
    }

    @Test
    fun `values that are not finite, and shapes that do not fit the file`() {
        made
        val file = File(folder, "golden/image_outputs.bin")
        val whole = file.readBytes()
        file.writeBytes(
            whole.copyOf().also {
                it[2] = 0x80.toByte()
                it[3] = 0x7F
            },
        )
        made.edit { it }
        refused<BundleCorruptException>("NaN or infinite")
        file.writeBytes(whole.copyOf(whole.size - 4))
        made.edit { it }
        refused<BundleCorruptException>("takes")
        file.writeBytes(whole)
        made.edit { it }
        val image = Bundle.open(folder).manifest.image
        for (shape in listOf(listOf(0, 8), listOf(Int.MAX_VALUE, Int.MAX_VALUE, Int.MAX_VALUE))) {
            val stored = image.golden.outputs.copy(shape = shape)
            assertThrows(BundleCorruptException::class.java) { Bundle.read(folder, stored) }
        }
        val missing = StoredTensor("golden/none.bin", listOf(1), ElementType.UINT8)
        assertThrows(BundleCorruptException::class.java) { Bundle.read(folder, missing) }
    }

    @Test
    fun `parts that are not about one model`() {
        made
        val cases = listOf<Pair<String, (Manifest) -> Manifest>>(
            "raw embeddings" to { it.copy(image = it.image.copy(normalized = true)) },
            "context length" to { it.copy(text = it.text.copy(input = it.text.input.copy(shape = listOf(2, 32)))) },
            "int32" to { it.copy(text = it.text.copy(input = it.text.input.copy(dtype = "int64"))) },
            "not the model's embedding" to { it.copy(image = it.image.copy(output = it.image.output.copy(shape = listOf(1, 9)))) },
            "byte_order" to { it.copy(tokenizer = it.tokenizer.copy(byteOrder = List(256) { 0 })) },
            "last two ids" to { it.copy(tokenizer = it.tokenizer.copy(startId = 1)) },
            "pad_id" to { it.copy(tokenizer = it.tokenizer.copy(padId = -1)) },
            "kept_ids is missing" to { it.copy(tokenizer = it.tokenizer.copy(keptIds = null)) },
            "special text" to { it.copy(tokenizer = it.tokenizer.copy(specialTexts = listOf(SpecialText("", 0)))) },
            "stands twice" to { it.copy(labels = it.labels?.copy(names = listOf("a", "a", "b"))) },
            "prompt templates" to { it.copy(templates = it.templates.copy(texts = emptyList())) },
            "no place for the label" to { it.copy(templates = it.templates.copy(texts = listOf("a photo"))) },
            "does not exist" to { it.withRanking { ranking -> ranking.copy(places = listOf(0, 1, 3)) } },
            "other numbers" to { it.withRanking { ranking -> ranking.copy(cosines = listOf(0.5)) } },
            "logit_scale" to { it.copy(model = it.model.copy(logitScale = 0.0)) },
            "belongs" to { it.copy(labels = it.labels?.copy(names = listOf("a"))) },
            "belongs" to { it.copy(model = it.model.copy(embeddingDim = 9)) },
            "layout" to { it.copy(image = it.image.copy(input = it.image.input.copy(layout = "HWCN"))) },
            "not among the files" to { it.copy(image = it.image.copy(entryPoint = "image/other.onnx")) },
            "not among the files" to { manifest -> manifest.copy(labels = manifest.labels?.let { it.copy(embeddings = it.embeddings.copy(file = "labels/none.bin")) }) },
        )
        for ((word, change) in cases) {
            made.edit(change)
            refused<BundleMalformedException>(word)
            TestBundle(folder).write()
        }
    }

    @Test
    fun `whatever stands in a manifest, it is refused in words or it is sound`() {
        made
        val whole = json.readText()
        val values = Regex("(?<=:|,|\\[)(-?[0-9][0-9.eE+-]*|\"[^\"]*\"|null|true|false)(?=,|]|\\})").findAll(whole).toList()
        assertTrue(values.size > 400)
        val odd = listOf("-1", "0", "2147483647", "9223372036854775807", "1e308", "0.5", "\"\"", "\"../x\"", "null", "[]", "{}", "true")
        val random = Random(12)
        var refusals = 0
        repeat(250) {
            val value = values.random(random)
            json.writeText(whole.replaceRange(value.range, odd.random(random)))
            try {
                Bundle.open(folder)
            } catch (error: BundleException) {
                assertTrue(error.message.orEmpty().length > 20)
                refusals++
            }
        }
        assertTrue(refusals > 125, "$refusals")
    }

    private fun Manifest.withRanking(change: (GoldenRanking) -> GoldenRanking): Manifest =
        copy(endToEnd = endToEnd.copy(images = endToEnd.images.map { it.copy(ranking = it.ranking?.let(change)) }))
}
