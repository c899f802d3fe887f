package org.pocketclip.runtime.onnxruntime

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Path
import kotlin.math.abs
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfSystemProperty
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.LoadException
import org.pocketclip.core.bundle.BUNDLE_NAME
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.Manifest
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.Classifier
import org.pocketclip.core.inference.ImageEncoder
import org.pocketclip.core.inference.Labels
import org.pocketclip.core.inference.TextEncoder
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.measuring.TowerBenchmark
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Status
import org.pocketclip.core.records.Tower
import org.pocketclip.core.selftest.SelfTest

/**
 * A real bundle against what Python made of it. tests/android_app writes the bundle and the expected embeddings into the
 * folder that the property names, and reads the differences that are left beside them.
 */
@EnabledIfSystemProperty(named = "pocketclip.fixtures", matches = ".+", disabledReason = "tests/android_app makes the bundle")
class BundleEndToEndTest {
    private val fixtures = File(System.getProperty("pocketclip.fixtures"))
    private val goldens = File(System.getProperty("pocketclip.goldens"))
    private val runtimes = listOf(OnnxRuntime())
    private val bundle by lazy { Bundle.open(File(fixtures, "bundle")) }
    private val width by lazy { bundle.manifest.model.embeddingDim }

    private fun json(file: File) = Documents.parse(file.readText(), file.name).jsonObject

    private fun rows(name: String): List<FloatArray> {
        val values = ByteBuffer.wrap(File(fixtures, name).readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
        return List(values.capacity() / width) { FloatArray(width).also(values::get) }
    }

    private fun images(): List<RgbImage> = json(File(goldens, "images.json")).getValue("images").jsonArray.map { it.jsonObject }.map {
        val pixels = File(goldens, "images/${it.getValue("name").jsonPrimitive.content}.rgb").readBytes()
        Orientation.of(it.number("orientation")).apply(RgbImage(it.number("width"), it.number("height"), pixels))
    }

    private fun JsonObject.number(field: String) = getValue(field).jsonPrimitive.int

    private fun differences(found: List<FloatArray>, wanted: List<FloatArray>): Double {
        assertEquals(wanted.size, found.size)
        return found.zip(wanted).maxOf { (first, second) -> first.indices.maxOf { abs(first[it].toDouble() - second[it]) } }
    }

    private fun report(name: String, value: Double) {
        File(fixtures, "differences").apply { mkdirs() }.let { File(it, name).writeText("$value") }
    }

    /** The lines of android_app/README.md: tests/android_app compares them. */
    @Test
    fun `the example of the README`() {
        val folder = File(fixtures, "bundle")
        val image = Bundle.open(folder).let { bundle ->
            val (height, width) = bundle.manifest.endToEnd.images[0].pixels.shape
            RgbImage(width, height, ByteArray(width * height * RgbImage.CHANNELS))
        }
        val bundle = Bundle.open(folder)
        val runtimes = listOf(OnnxRuntime())
        ImageEncoder.open(bundle, runtimes).use { images ->
            TextEncoder.open(bundle, runtimes).use { texts ->
                val classifier = Classifier(bundle, images) { texts }
                val labels = classifier.labels(listOf("a red circle", "a blue square"))
                val best = classifier.classify(image, labels).labels.first()
                println("${best.name}: ${best.ranked.probability}")
            }
        }
    }

    @Test
    fun `fifty images and their rankings are Python's`() {
        val labels = checkNotNull(Labels.stored(bundle))
        val wanted = json(File(fixtures, "rankings.json")).getValue("rankings").jsonArray.map { row -> row.jsonArray.map { it.jsonPrimitive.int } }
        ImageEncoder.open(bundle, runtimes).use { encoder ->
            val classifier = Classifier(bundle, encoder) { error("stored labels need no text tower") }
            val found = images().map { classifier.classify(it, labels) }
            assertEquals(50, found.size)
            val difference = differences(found.map { it.image.values }, rows("image_embeddings.bin"))
            report("images", difference)
            assertTrue(difference < 1e-4, "$difference")
            assertEquals(wanted, found.map { each -> each.labels.map { it.ranked.place } })
        }
    }

    @Test
    fun `two hundred captions are Python's`() {
        val texts = json(File(goldens, "captions.json")).getValue("captions").jsonArray.map { it.jsonObject.getValue("text").jsonPrimitive.content }
        assertEquals(200, texts.size)
        TextEncoder.open(bundle, runtimes).use { encoder ->
            val difference = differences(texts.map { encoder.encode(it).values }, rows("caption_embeddings.bin"))
            report("captions", difference)
            assertTrue(difference < 1e-4, "$difference")
            val labels = bundle.manifest.labels!!
            val again = differences(labels.names.map(encoder::encodeLabel), bundle.rows(labels.embeddings))
            report("labels", again)
            assertTrue(again < 1e-4, "$again")
        }
    }

    @Test
    fun `the self-test passes`() {
        val report = SelfTest(bundle, runtimes).run()
        assertEquals(emptyList<String>(), report.checks.filterNot { it.passed }.map { "${it.part} ${it.name} ${it.value} ${it.bound}" })
        assertTrue(report.checks.size >= 20)
    }

    @Test
    fun `the self-test finds towers that are exchanged for others`(@TempDir folder: Path) {
        val copy = folder.resolve("b").toFile().also { bundle.folder.copyRecursively(it) }
        // The text tower's embedding of the text that is all zeros is a valid model, of other weights.
        File(fixtures, "other_image.onnx").copyTo(File(copy, bundle.manifest.image.entryPoint), overwrite = true)
        relist(copy)
        val report = SelfTest(Bundle.open(copy), runtimes).run()
        assertFalse(report.passed)
        val failed = report.checks.filterNot { it.passed }.map { "${it.part}: ${it.name}" }
        assertTrue("image: golden outputs: cosine" in failed && "image: PyTorch's outputs: error" in failed, "$failed")
        assertTrue(failed.none { it.startsWith("text") }, "$failed")
    }

    @Test
    fun `a truncated model is refused, by its hash and by the runtime`(@TempDir folder: Path) {
        val copy = folder.resolve("b").toFile().also { bundle.folder.copyRecursively(it) }
        val model = File(copy, bundle.manifest.image.entryPoint)
        model.writeBytes(model.readBytes().let { it.copyOf(it.size / 2) })
        assertThrows(BundleCorruptException::class.java) { Bundle.open(copy) }
        relist(copy)
        assertThrows(LoadException::class.java) { ImageEncoder.open(Bundle.open(copy), runtimes) }
    }

    @Test
    fun `both towers become records that the harness reads`() {
        val device = DeviceFacts("jvm", DeviceKind.HOST, "Linux", System.getProperty("os.arch"), "unknown", emptyList(), Runtime.getRuntime().availableProcessors(), null)
        for (tower in Tower.entries) {
            val record = TowerBenchmark(bundle, runtimes, LinuxMachine(), device, "0.1.0").run(tower, RunSettings(iterations = 10))
            assertEquals(Status.MEASURED, record.status, record.reason)
            assertEquals(record, Documents.read(BenchmarkRecord.serializer(), record.toJson(), "record"))
            File(fixtures, "record_${tower.name.lowercase()}.json").writeText(record.toJson())
        }
    }

    /** Lists the files as they are now. */
    private fun relist(copy: File) {
        val manifest = Documents.read(Manifest.serializer(), File(copy, BUNDLE_NAME).readText(), BUNDLE_NAME)
        val files = manifest.files.map { File(copy, it.path).let { file -> FileEntry(it.path, file.length(), Hashing.sha256(file)) } }
        File(copy, BUNDLE_NAME).writeText(Documents.write(Manifest.serializer(), manifest.copy(files = files)))
    }
}
