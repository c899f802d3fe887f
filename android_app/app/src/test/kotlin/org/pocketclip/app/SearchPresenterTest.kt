package org.pocketclip.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.app.search.FoundState
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.pocketclip.app.search.Indexer
import org.pocketclip.app.search.SearchPresenter

@OptIn(ExperimentalCoroutinesApi::class)
class SearchPresenterTest {
    private val engine = FakeEngine()
    private val photos = FakePhotos()
    private val store = FakeStore()
    private val memory = FakeMemory()
    private val folder = FakeFolder(
        listOf("red", "green", "blue", "broken").mapIndexed { place, name -> FolderPhoto("content://$name", "$name.jpg", place.toLong()) },
    )
    private val bundle = MutableStateFlow<BundleState>(BundleState.Ready(engine))

    private fun presenting(test: suspend TestScope.(SearchPresenter) -> Unit) = runTest(UnconfinedTestDispatcher()) {
        test(presenter(UnconfinedTestDispatcher(testScheduler)))
    }

    private fun TestScope.presenter(io: kotlinx.coroutines.CoroutineDispatcher) =
        SearchPresenter(backgroundScope, io, bundle, Indexer(folder, photos, store, io), store, memory)

    @Test
    fun `a folder is indexed and a sentence finds its photo`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        assertEquals(IndexState.Complete(IndexProgress(3, 4, 1)), presenter.state.value.index)
        presenter.setQuery("something green")
        presenter.search()
        val found = presenter.state.value.found as FoundState.Photos
        assertEquals("green.jpg", found.photos.first().name)
        assertEquals(3, found.searched)
    }

    @Test
    fun `cancelled, it goes on where it was`() = presenting { presenter ->
        engine.gate = CompletableDeferred()
        presenter.chooseFolder("content://folder")
        assertTrue(presenter.state.value.index is IndexState.Running)
        presenter.cancel()
        assertEquals(IndexState.Paused(IndexProgress(0, 4, 0)), presenter.state.value.index)
        engine.gate = null
        presenter.resume()
        assertEquals(3, store.rows.size)
        photos.read.clear()
        presenter.resume()
        assertEquals("only what failed is tried again", listOf("content://broken"), photos.read)
    }

    @Test
    fun `another process goes on too, with the folder that was chosen`() = presenting { first ->
        folder.photos = folder.photos.take(2)
        first.chooseFolder("content://folder")
        folder.photos = folder.photos + FolderPhoto("content://blue", "blue.jpg", 9)
        photos.read.clear()
        val second = presenter(UnconfinedTestDispatcher(testScheduler))
        assertEquals(IndexState.Paused(null), second.state.value.index)
        second.resume()
        assertEquals(listOf("content://blue"), photos.read)
    }

    @Test
    fun `changed photos are embedded anew and removed ones are forgotten`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        photos.read.clear()
        folder.photos = listOf(FolderPhoto("content://red", "red.jpg", 77), FolderPhoto("content://green", "green.jpg", 1))
        presenter.resume()
        assertEquals(listOf("content://red"), photos.read)
        assertEquals(setOf("content://red", "content://green"), store.rows.keys.map { it.third }.toSet())
    }

    @Test
    fun `embeddings of another bundle are not mixed in`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        bundle.value = BundleState.Ready(FakeEngine(sha256 = "b".repeat(64)))
        presenter.setQuery("green")
        presenter.search()
        assertEquals(FoundState.Photos(emptyList(), 0), presenter.state.value.found)
    }

    @Test
    fun `another bundle in the middle of indexing pauses it, and the next press begins with the new one`() = presenting { presenter ->
        engine.gate = CompletableDeferred()
        presenter.chooseFolder("content://folder")
        val next = FakeEngine(sha256 = "b".repeat(64))
        bundle.value = BundleState.Ready(next)
        assertEquals(IndexState.Paused(null), presenter.state.value.index)
        presenter.resume()
        assertEquals(IndexState.Complete(IndexProgress(3, 4, 1)), presenter.state.value.index)
        assertEquals(setOf("b".repeat(64)), store.rows.keys.map { it.second }.toSet())
    }

    @Test
    fun `access that was taken away is said`() = presenting { presenter ->
        folder.refused = true
        presenter.chooseFolder("content://folder")
        assertEquals(IndexState.PermissionRefused, presenter.state.value.index)
    }
}
