package org.pocketclip.core.inference

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InputException
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.testing.FakeRuntime
import org.pocketclip.core.testing.TestBundle

class ClassifierTest {
    @TempDir
    lateinit var temporary: Path
    private val bundle by lazy { Bundle.open(TestBundle(temporary.resolve("b").toFile()).write().folder) }
    private val runtime = FakeRuntime()

    private fun golden(place: Int): RgbImage {
        val image = bundle.manifest.endToEnd.images[place]
        val pixels = bundle.tensor(image.pixels)
        return RgbImage(image.pixels.shape[1], image.pixels.shape[0], ByteArray(pixels.size).also { pixels.bytes().get(it) })
    }

    @Test
    fun `an image is classified with the bundle's labels as its golden ranking says`() {
        ImageEncoder.open(bundle, listOf(runtime)).use { images ->
            val classifier = Classifier(bundle, images) { error("stored labels need no text tower") }
            val labels = classifier.labels(TestBundle.LABELS)
            for ((place, image) in bundle.manifest.endToEnd.images.withIndex()) {
                val found = classifier.classify(golden(place), labels)
                assertEquals(image.ranking?.places, found.labels.map { it.ranked.place })
                assertEquals(TestBundle.LABELS[found.labels[0].ranked.place], found.labels[0].name)
                assertTrue(found.image.inferenceNs > 0 && found.image.preparationNs > 0)
            }
            assertEquals(1, classifier.classify(golden(0), labels, most = 1).labels.size)
            assertEquals("fake", images.acceleratorObserved)
        }
        assertEquals(0, runtime.open)
    }

    @Test
    fun `other labels are embedded once, with as many templates as are wanted`() {
        ImageEncoder.open(bundle, listOf(runtime)).use { images ->
            TextEncoder.open(bundle, listOf(runtime)).use { texts ->
                val classifier = Classifier(bundle, images) { texts }
                val before = runtime.inferences
                val first = classifier.labels(listOf("green apple", TestBundle.LABELS[0]))
                assertEquals(before + 2, runtime.inferences)
                assertSame(first.embeddings[0], classifier.labels(listOf("green apple")).embeddings[0])
                // All templates were there already: fewer are not asked for.
                assertSame(first.embeddings[0], classifier.labels(listOf("green apple"), templates = 1).embeddings[0])
                classifier.labels(listOf("purple hat"), templates = 1)
                assertEquals(before + 3, runtime.inferences)
                assertEquals("fake", texts.acceleratorObserved)
            }
        }
    }

    @Test
    fun `labels that people mistype`() {
        ImageEncoder.open(bundle, listOf(runtime)).use { images ->
            val classifier = Classifier(bundle, images) { error("not needed") }
            for ((names, word) in listOf(emptyList<String>() to "no labels", listOf("a", " ") to "empty", listOf("a", "a") to "once")) {
                val error = assertThrows(InputException::class.java) { classifier.labels(names) }
                assertTrue(word in error.message.orEmpty(), error.message)
            }
        }
        assertThrows(IllegalArgumentException::class.java) { Labels(listOf("a"), emptyList()) }
    }

    @Test
    fun `runtimes and accelerators that are missing`() {
        val error = assertThrows(RuntimeMissingException::class.java) { ImageEncoder.open(bundle, listOf(FakeRuntime("litert"))) }
        assertTrue("needs onnxruntime" in error.message.orEmpty() && "litert" in error.message.orEmpty(), error.message)
        assertThrows(RuntimeMissingException::class.java) { TextEncoder.open(bundle, emptyList()) }
        assertThrows(AcceleratorMissingException::class.java) {
            ImageEncoder.open(bundle, listOf(runtime), LoadOptions(accelerator = Accelerator.GPU))
        }
        assertThrows(IllegalArgumentException::class.java) { LoadOptions(threads = 0) }
    }

    @Test
    fun `outputs that are not finite are never embeddings`() {
        val broken = FakeRuntime(alter = { values, _ -> values.also { it[3] = Float.NaN } })
        ImageEncoder.open(bundle, listOf(broken)).use { images ->
            assertThrows(NonFiniteException::class.java) { images.encode(golden(0)) }
        }
    }

    @Test
    fun `a bundle without labels has none stored`() {
        val folder = temporary.resolve("none").toFile()
        TestBundle(folder).write().edit { manifest ->
            manifest.copy(labels = null, endToEnd = manifest.endToEnd.copy(images = manifest.endToEnd.images.map { it.copy(ranking = null) }))
        }
        assertNull(Labels.stored(Bundle.open(folder)))
    }
}
