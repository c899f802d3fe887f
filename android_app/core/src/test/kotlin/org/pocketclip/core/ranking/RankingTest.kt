package org.pocketclip.core.ranking

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.bundle.Articles
import org.pocketclip.core.bundle.PromptTemplates

class RankingTest {
    @Test
    fun `the likeliest come first and equal ones in their order`() {
        val query = floatArrayOf(1f, 0f)
        val candidates = listOf(floatArrayOf(0f, 1f), floatArrayOf(1f, 0f), floatArrayOf(0.6f, 0.8f), floatArrayOf(0f, 1f))
        val ranked = Ranking.rank(query, candidates, 10.0)
        assertEquals(listOf(1, 2, 0, 3), ranked.map { it.place })
        assertEquals(1.0, ranked.sumOf { it.probability }, 1e-12)
        assertEquals(0.6, ranked[1].cosine, 1e-7)
        assertEquals(Math.exp(-4.0), ranked[1].probability / ranked[0].probability, 1e-6)
        assertEquals(ranked.take(2), Ranking.rank(query, candidates, 10.0, most = 2))
        assertTrue(Ranking.rank(query, emptyList(), 10.0).isEmpty())
    }

    @Test
    fun `large scales do not overflow`() {
        val ranked = Ranking.rank(floatArrayOf(1f, 0f), listOf(floatArrayOf(1f, 0f), floatArrayOf(-1f, 0f)), 1e6)
        assertEquals(listOf(1.0, 0.0), ranked.map { it.probability })
    }

    @Test
    fun `embeddings without a direction are refused`() {
        for (odd in listOf(floatArrayOf(0f, 0f), floatArrayOf(Float.NaN, 1f), floatArrayOf(Float.POSITIVE_INFINITY, 1f))) {
            assertThrows(NonFiniteException::class.java) { Ranking.normalized(odd) }
        }
        assertArrayEquals(floatArrayOf(0.6f, 0.8f), Ranking.normalized(floatArrayOf(3f, 4f)), 1e-7f)
        assertThrows(IllegalArgumentException::class.java) { Ranking.cosine(FloatArray(2), FloatArray(3)) }
    }

    @Test
    fun `templates are filled and articles put right`() {
        val english = Prompts(PromptTemplates("t", listOf("a photo of a {}.", "{} and a {}"), Articles.ENGLISH))
        assertEquals(listOf("a photo of an orange.", "orange and an orange"), english.of("orange"))
        assertEquals(listOf("a photo of a cat."), english.of("cat", most = 1))
        // Only where `a` is a word of its own.
        assertEquals("a photo of a banana under an apple.", english.of("banana under a apple").first())
        assertEquals("a photo of an extra apple.", english.of("extra apple").first())
        // Only where `a` is a word of its own.
        assertEquals("a photo of a sofa in it.", english.of("sofa in it").first())
        assertEquals("a photo of a é_a ice.", english.of("é_a ice").first())
        assertEquals("an egg and an an egg", english.of("an egg")[1])
        val written = Prompts(PromptTemplates("t", listOf("a {}"), Articles.AS_WRITTEN))
        assertEquals(listOf("a orange"), written.of("orange"))
        assertThrows(IllegalArgumentException::class.java) { written.of("x", most = 0) }
    }

    @Test
    fun `the mean of prompts is normalised`() {
        val mean = Prompts.mean(listOf(floatArrayOf(1f, 0f), floatArrayOf(0f, 1f)))
        assertArrayEquals(floatArrayOf(0.70710677f, 0.70710677f), mean, 1e-7f)
        assertThrows(NonFiniteException::class.java) { Prompts.mean(listOf(floatArrayOf(1f, 0f), floatArrayOf(-1f, 0f))) }
        assertThrows(IllegalArgumentException::class.java) { Prompts.mean(emptyList()) }
    }
}
