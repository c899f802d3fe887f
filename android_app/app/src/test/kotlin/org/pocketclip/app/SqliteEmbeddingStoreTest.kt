package org.pocketclip.app

import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.search.SqliteEmbeddingStore
import org.pocketclip.app.search.StoredEmbedding
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class SqliteEmbeddingStoreTest {
    private val store = SqliteEmbeddingStore(RuntimeEnvironment.getApplication())

    @After
    fun close() = store.close()

    private fun put(document: String, modifiedMs: Long, vararg values: Float) =
        store.put("folder", "bundle", StoredEmbedding(document, "$document.jpg", modifiedMs, values))

    @Test
    fun `embeddings come back bit for bit, by folder and bundle`() {
        put("a", 1, 0.1f, -3e-20f, 1f)
        put("b", 2, 0f, 0f, 1f)
        store.put("folder", "other bundle", StoredEmbedding("a", "a.jpg", 1, floatArrayOf(9f)))
        val all = store.all("folder", "bundle")
        assertEquals(listOf("a", "b"), all.map { it.document })
        assertArrayEquals(floatArrayOf(0.1f, -3e-20f, 1f), all[0].values, 0f)
        assertEquals(mapOf("a" to 1L, "b" to 2L), store.known("folder", "bundle"))
    }

    @Test
    fun `a photo that was changed replaces itself, one that went is forgotten`() {
        put("a", 1, 1f)
        put("a", 2, 2f)
        put("b", 1, 1f)
        store.retain("folder", "bundle", setOf("a"))
        assertEquals(mapOf("a" to 2L), store.known("folder", "bundle"))
    }
}
