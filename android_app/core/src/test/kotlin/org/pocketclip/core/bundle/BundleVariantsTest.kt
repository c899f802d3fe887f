package org.pocketclip.core.bundle

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.BundleException
import org.pocketclip.core.records.Tower
import org.pocketclip.core.testing.TestBundle

class BundleVariantsTest {
    @TempDir
    lateinit var temporary: Path
    private val made by lazy { TestBundle(temporary.resolve("b").toFile()).write().withVariants("SM8550", "SM8650") }

    private fun refused(words: String, change: (NpuVariant) -> NpuVariant) {
        made.edit { manifest -> manifest.copy(variants = listOf(change(manifest.variants[0])) + manifest.variants.drop(1)) }
        val error = assertThrows(BundleException::class.java) { Bundle.open(made.folder) }
        assertTrue(words in error.message.orEmpty(), "'$words' in: ${error.message}")
        made.write().withVariants("SM8550", "SM8650")
    }

    @Test
    fun `variants are for towers and chips, and have files of their own`() {
        val bundle = Bundle.open(made.folder)
        assertEquals(2, bundle.manifest.schemaVersion)
        for (tower in Tower.entries) {
            val variants = bundle.manifest.variantsOf(tower)
            assertEquals(listOf("SM8550", "SM8650"), variants.map { it.soc })
            variants.forEach { assertTrue(bundle.modelFile(it).path.isFile) }
            assertEquals(7L, bundle.modelSizeBytes(variants[0]))
        }
        assertEquals(7L, bundle.modelSizeBytes(bundle.manifest.image))
    }

    @Test
    fun `a variant that lies is refused`() {
        refused("variants[0].entry_point") { it.copy(entryPoint = "../../secret.onnx") }
        refused("is not among the files it lists") { it.copy(entryPoint = "image/other.onnx") }
        refused("two models lie in one folder") { it.copy(entryPoint = "image/model.onnx") }
        refused("no name of a chip") { it.copy(soc = "8650; rm") }
        refused("no name of a chip") { it.copy(sdk = "newest") }
        refused("negative count") { it.copy(graphs = -1) }
        refused("leaves a part of its tower to the CPU") { it.copy(onCpu = 2) }
        refused("prepares no graphs for chips") { it.copy(target = "onnx") }
        refused("prepares no graphs for chips") { it.copy(runtime = "litert") }
        refused("for the same chip and runtime") { it.copy(soc = "SM8650") }
        refused("one tower gives raw embeddings") { it.copy(normalized = true) }
        refused("not the model's embedding") { it.copy(output = it.output.copy(shape = listOf(1, 9))) }
        refused("64 hex digits") { it.copy(artifactSha256 = "E") }
    }

    @Test
    fun `variants belong to their schema alone`() {
        made.edit { it.copy(schemaVersion = 1) }
        assertThrows(BundleException::class.java) { Bundle.open(made.folder) }
        made.edit { it.copy(schemaVersion = 2, variants = emptyList()) }
        val error = assertThrows(BundleException::class.java) { Bundle.open(made.folder) }
        assertTrue("variants belong to schema version 2" in error.message.orEmpty(), error.message)
    }

    @Test
    fun `a tower must run on every phone`() {
        made.edit { it.copy(text = it.text.copy(target = "tflite-qnn")) }
        val error = assertThrows(BundleException::class.java) { Bundle.open(made.folder) }
        assertTrue("a tower runs on single chips alone" in error.message.orEmpty(), error.message)
    }
}
