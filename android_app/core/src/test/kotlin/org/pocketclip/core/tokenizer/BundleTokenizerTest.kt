package org.pocketclip.core.tokenizer

import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.ids
import org.pocketclip.core.testing.text

class BundleTokenizerTest {
    @ParameterizedTest
    @ValueSource(strings = ["full", "pruned"])
    fun `ids of all captions are Python's`(name: String) {
        val tokenizer = Goldens.tokenizer(name)
        val length = Goldens.tokenizerSpec(name).contextLength
        val captions = Goldens.json("captions.json").jsonObject.getValue("captions").jsonArray
        assertEquals(200, captions.size)
        val wrong = captions.map { it.jsonObject }.filter {
            tokenizer.ids(it.text("text")).toList() != padded(it.ids(name), length)
        }
        assertEquals(emptyList<String>(), wrong.map { it.text("text") })
    }

    @Test
    fun `ids are OpenCLIP's own`() {
        val tokenizer = Goldens.tokenizer("full")
        val rows = Goldens.json("tokenizer_reference.json").jsonArray.map { it.jsonObject }
        assertTrue(rows.size > 10)
        rows.forEach { assertEquals(padded(it.ids("ids"), 77), tokenizer.ids(it.text("text")).toList(), it.text("text")) }
    }

    @Test
    fun `text that was decoded wrongly is left as it is`() {
        val tokenizer = Goldens.tokenizer("full")
        Goldens.json("captions.json").jsonObject.getValue("left_out").jsonArray.forEach {
            // Every byte is still there: nothing is dropped or mended.
            assertTrue(tokenizer.encode(it.jsonPrimitive.content).isNotEmpty())
        }
    }

    @Test
    fun `halves of surrogate pairs become the replacement character`() {
        val tokenizer = Goldens.tokenizer("full")
        assertEquals(tokenizer.encode("a\uFFFDb"), tokenizer.encode("a\uD83Db"))
        assertEquals(tokenizer.encode("a\uFFFD"), tokenizer.encode("a\uDCA9"))
    }

    @Test
    fun `the tensor has the tower's shape`() {
        val tensor = Goldens.tokenizer("pruned").input("a cat")
        assertEquals(listOf(1, 32), tensor.shape)
        assertEquals(Goldens.tokenizer("pruned").ids("a cat").toList(), tensor.ints().toList())
    }

    @Test
    fun `data that does not fit together is refused`() {
        val spec = Goldens.tokenizerSpec("pruned")
        val merges = Goldens.integers(spec.merges)
        val kept = Goldens.integers(checkNotNull(spec.keptIds))
        val forward = merges.copyOf().also { it[0] = 512 }
        val outside = kept.copyOf().also { it[it.size - 1] = 60_000 }
        val withoutBytes = kept.drop(1).toIntArray()
        for (broken in listOf(
            { BundleTokenizer(spec, forward, kept) },
            { BundleTokenizer(spec, merges, outside) },
            { BundleTokenizer(spec, merges, withoutBytes) },
            { BundleTokenizer(spec, merges, kept.dropLast(1).toIntArray()) },
            { BundleTokenizer(spec.copy(pattern = "("), merges, kept) },
        )) {
            val error = assertThrows(BundleMalformedException::class.java) { broken() }
            assertTrue(error.message.orEmpty().length > 20)
        }
    }

    private fun padded(ids: List<Int>, length: Int): List<Int> = ids + List(length - ids.size) { 0 }
}
