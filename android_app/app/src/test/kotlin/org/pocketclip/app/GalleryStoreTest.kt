package org.pocketclip.app

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.search.GalleryStore
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** Where indexes lie, and what becomes of the database that was there before. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class GalleryStoreTest {
    private val application get() = RuntimeEnvironment.getApplication() as TestApplication
    private val folder get() = File(application.noBackupFilesDir, "galleries")
    private val store: GalleryStore get() = application.container.galleries
    private val bundle = FakeEngine().summary
    private val other = FakeEngine(sha256 = "b".repeat(64)).summary

    private fun add(photos: String) = store.open(photos, bundle).write().use { it.add("content://a", "1", floatArrayOf(0f, 1f, 0f)) }

    @Test
    fun `each folder and bundle has an index, which no backup contains`() {
        add("content://folder")
        assertEquals(1, store.open("content://folder", bundle).photoCount)
        assertEquals(0, store.open("content://other", bundle).photoCount)
        assertEquals(0, store.open("content://folder", other).photoCount)
        val identity = store.open("content://folder", bundle).identity
        assertEquals(listOf("content://folder", bundle.sha256, 3), listOf(identity.folder, identity.artifact, identity.width))
        assertEquals("only what is written to is made", 1, folder.list()!!.size)
        assertTrue(folder.walk().all { it.name.matches(Regex("[a-zA-Z0-9.-]+")) })
    }

    @Test
    fun `an index is discarded without the others`() {
        add("content://folder")
        add("content://other")
        store.discard("content://folder", bundle)
        assertEquals(0, store.open("content://folder", bundle).photoCount)
        assertEquals(1, store.open("content://other", bundle).photoCount)
    }

    @Test
    fun `a model of any name can be indexed with`() {
        val odd = bundle.copy(model = "-my/mödel ${"x".repeat(200)}")
        store.open("content://folder", odd).write().close()
        assertTrue(store.open("content://folder", odd).identity.model.startsWith("_my_m_del_xxx"))
    }

    @Test
    fun `the database of before is removed`() {
        application.openOrCreateDatabase("embeddings.sqlite", 0, null).close()
        val file = application.getDatabasePath("embeddings.sqlite")
        assertTrue(file.exists())
        application.container.start()
        assertFalse(file.exists())
    }
}
