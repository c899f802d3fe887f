package org.pocketclip.core.selftest

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.LoadException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.Interpolation
import org.pocketclip.core.testing.FakeRuntime
import org.pocketclip.core.testing.TestBundle

class SelfTestTest {
    @TempDir
    lateinit var temporary: Path
    private val folder: File by lazy { temporary.resolve("b").toFile() }

    private fun report(runtime: FakeRuntime = FakeRuntime()): SelfTestReport = SelfTest(Bundle.open(folder), listOf(runtime)).run()

    private fun failures(report: SelfTestReport): List<String> = report.checks.filterNot { it.passed }.map { it.name }

    @Test
    fun `a sound bundle passes, with inputs of floats and of bytes`() {
        for (bytes in listOf(false, true)) {
            folder.deleteRecursively()
            TestBundle(folder, bytes).write()
            val seen = mutableListOf<String>()
            val report = SelfTest(Bundle.open(folder), listOf(FakeRuntime())).run { seen += it }
            assertEquals(emptyList<String>(), failures(report))
            assertTrue(report.passed)
            assertEquals(listOf("image tower", "text tower"), seen)
            assertEquals(18, report.checks.size)
            assertEquals(0.0, report.checks.first { it.name == "sentences with other ids" }.value)
        }
    }

    @Test
    fun `kernels that compute something else fail, also the stricter check`() {
        TestBundle(folder).write()
        val slightly = report(FakeRuntime(alter = { values, _ -> values.also { it[0] *= 1.0005f } }))
        assertTrue(failures(slightly).all { "PyTorch" in it }, failures(slightly).toString())
        assertFalse(slightly.passed)
        val much = report(FakeRuntime(alter = { values, _ -> values.also { it[0] = -it[0] } }))
        assertTrue("golden outputs: cosine" in failures(much) && "photographs: error" in failures(much))
    }

    @Test
    fun `outputs that are not finite or of another size are failed checks with a note`() {
        TestBundle(folder).write()
        val nan = report(FakeRuntime(alter = { values, _ -> values.also { it[1] = Float.NaN } }))
        assertFalse(nan.passed)
        val check = nan.checks.first { it.name == "golden outputs: cosine" }
        assertNull(check.value)
        assertTrue("NaN" in check.note.orEmpty())
        assertTrue("no embedding" in nan.checks.first { it.part == "labels" }.note.orEmpty())
        assertTrue("label embeddings: cosine" in failures(nan))
        val short = TestBundleWidth.shorter(folder)
        assertTrue("values, not" in short.checks.first { it.name == "golden outputs: cosine" }.note.orEmpty())
    }

    @Test
    fun `another filter, another tokenizer and other labels are found`() {
        val made = TestBundle(folder).write()
        made.edit { it.copy(preprocess = it.preprocess.copy(interpolation = Interpolation.BICUBIC)) }
        assertTrue("preprocessing, steps of 8 bits" in failures(report()))
        TestBundle(folder).write().edit { manifest -> manifest.copy(tokenizer = manifest.tokenizer.copy(cleaning = emptyList())) }
        val ids = report().checks.first { it.name == "sentences with other ids" }
        assertEquals(1.0, ids.value)
        assertTrue("squares" in ids.note.orEmpty())
        TestBundle(folder).write().edit { manifest -> manifest.copy(labels = manifest.labels?.copy(names = listOf("blue star", "x", "y"))) }
        assertTrue("label embeddings: cosine" in failures(report()))
    }

    @Test
    fun `a ranking that is another one is found`() {
        TestBundle(folder).write().edit { manifest ->
            manifest.copy(
                endToEnd = manifest.endToEnd.copy(
                    images = manifest.endToEnd.images.map { image ->
                        val ranking = checkNotNull(image.ranking)
                        image.copy(ranking = ranking.copy(places = ranking.places.reversed()))
                    },
                ),
            )
        }
        assertTrue(failures(report()).any { it.startsWith("order for") }, report().checks.filter { it.part == "labels" }.toString())
    }

    @Test
    fun `a tower that cannot be loaded is an error`() {
        TestBundle(folder).write()
        File(folder, "image/model.onnx").writeText("no model at all")
        TestBundle(folder).edit { it }
        assertThrows(LoadException::class.java) { report() }
    }

    /** Outputs of another width than the manifest says. */
    private object TestBundleWidth {
        fun shorter(folder: File): SelfTestReport =
            SelfTest(Bundle.open(folder), listOf(FakeRuntime(alter = { values, _ -> values.copyOf(values.size - 1) }))).run()
    }
}
