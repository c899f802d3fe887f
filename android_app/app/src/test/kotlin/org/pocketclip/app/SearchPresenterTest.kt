package org.pocketclip.app

import java.io.File
import kotlin.coroutines.CoroutineContext
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.app.search.FoundPhoto
import org.pocketclip.app.search.FoundState
import org.pocketclip.app.search.GalleryStore
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.pocketclip.app.search.Indexer
import org.pocketclip.app.search.SearchPresenter

@OptIn(ExperimentalCoroutinesApi::class)
class SearchPresenterTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val engine = FakeEngine()
    private val photos = FakePhotos()
    private val store by lazy { GalleryStore(temporary.root) }
    private val memory = FakeMemory()
    private val folder = FakeFolder(
        listOf("red", "green", "blue", "broken").mapIndexed { place, name -> FolderPhoto("content://$name", "$name.jpg", place.toLong()) },
    )
    private val bundle = MutableStateFlow<BundleState>(BundleState.Ready(engine))

    private fun presenting(test: suspend TestScope.(SearchPresenter) -> Unit) = runTest(UnconfinedTestDispatcher()) {
        test(presenter(UnconfinedTestDispatcher(testScheduler)))
    }

    private fun TestScope.presenter(io: CoroutineDispatcher) =
        SearchPresenter(backgroundScope, io, bundle, Indexer(folder, photos, io), store, memory)

    /** What is stored of the folder. */
    private fun stored(engine: FakeEngine = this.engine) =
        store.open("content://folder", engine.summary).photos().map { it.photo }.toSet()

    /** The files of the only index. */
    private fun files(): List<File> = temporary.root.walk().filter(File::isFile).toList()

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
        assertEquals(3, stored().size)
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
        assertEquals(setOf("content://red", "content://green"), stored())
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
        assertEquals(0, stored().size)
        assertEquals(3, stored(next).size)
    }

    @Test
    fun `photos are found as soon as they are indexed`() = presenting { presenter ->
        val gate = CompletableDeferred<Unit>()
        presenter.chooseFolder("content://folder")
        folder.photos = folder.photos.take(3) + FolderPhoto("content://red 2", "red 2.jpg", 9)
        engine.gate = gate
        presenter.resume()
        presenter.setQuery("red")
        presenter.search()
        assertEquals(3, (presenter.state.value.found as FoundState.Photos).searched)
        gate.complete(Unit)
        presenter.search()
        val found = presenter.state.value.found as FoundState.Photos
        assertEquals(listOf("red.jpg", "red 2.jpg"), found.photos.take(2).map { it.name })
        assertEquals(4, found.searched)
    }

    @Test
    fun `a photo finds those that resemble it`() = presenting { presenter ->
        folder.photos = folder.photos + FolderPhoto("content://dark red", "dark red.jpg", 9)
        presenter.chooseFolder("content://folder")
        presenter.searchLike(FoundPhoto("content://red", "red.jpg", 1.0))
        val found = presenter.state.value.found as FoundState.Photos
        assertEquals("red.jpg", found.like)
        assertEquals("dark red.jpg", found.photos.first().name)
        assertEquals(3, found.photos.size)
        presenter.searchLike(FoundPhoto("content://gone", "gone.jpg", 1.0))
        assertEquals(FoundState.Failed("the photo is not in the index any more; search again"), presenter.state.value.found)
    }

    @Test
    fun `duplicates are found, and the search for them ends when it is told to`() = presenting { presenter ->
        folder.photos = folder.photos + listOf("red 2", "green 2", "red 3").map { FolderPhoto("content://$it", "$it.jpg", 9) }
        presenter.chooseFolder("content://folder")
        presenter.findDuplicates()
        val found = presenter.state.value.found as FoundState.Groups
        assertEquals(
            setOf(listOf("green.jpg", "green 2.jpg"), listOf("red.jpg", "red 2.jpg", "red 3.jpg")),
            found.groups.map { group -> group.photos.map { it.name } }.toSet(),
        )
        assertTrue(found.groups.all { it.cosine > 0.99 })
        val waiting = ArrayDeque<Runnable>()
        val slow = presenter(object : CoroutineDispatcher() {
            override fun dispatch(context: CoroutineContext, block: Runnable) = waiting.addLast(block)
        })
        slow.findDuplicates()
        assertEquals(FoundState.Comparing(0), slow.state.value.found)
        slow.stopSearching()
        waiting.forEach { it.run() }
        assertEquals(FoundState.Nothing, slow.state.value.found)
    }

    @Test
    fun `a photo that becomes unreadable is not what it was`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        photos.broken += "content://red"
        folder.photos = folder.photos.map { it.copy(modifiedMs = it.modifiedMs + 100) }
        presenter.resume()
        assertEquals(IndexState.Complete(IndexProgress(2, 4, 2)), presenter.state.value.index)
        assertEquals(setOf("content://green", "content://blue"), stored())
    }

    @Test
    fun `what is damaged is said, and can be made anew`() = presenting { first ->
        first.chooseFolder("content://folder")
        files().single { it.extension == "jsonl" }.writeText("no line of an index\n")
        val presenter = presenter(UnconfinedTestDispatcher(testScheduler))
        presenter.setQuery("red")
        presenter.search()
        val message = (presenter.state.value.found as FoundState.Failed).message
        assertTrue(message, "photos-0.jsonl, line 1" in message)
        assertEquals(IndexState.Unusable(message), presenter.state.value.index)
        presenter.resume()
        assertEquals("nothing is removed by itself", IndexState.Unusable(message), presenter.state.value.index)
        presenter.startAnew()
        assertEquals(IndexState.Complete(IndexProgress(3, 4, 1)), presenter.state.value.index)
        presenter.search()
        assertEquals("red.jpg", (presenter.state.value.found as FoundState.Photos).photos.first().name)
    }

    @Test
    fun `a storage that fails is said, and indexing can go on`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        val lines = files().single { it.extension == "jsonl" }
        lines.delete()
        lines.mkdir()
        presenter.resume()
        val failed = presenter.state.value.index as IndexState.Failed
        assertTrue(failed.message, "is the storage full?" in failed.message)
        lines.delete()
        presenter.resume()
        assertEquals(IndexState.Complete(IndexProgress(3, 4, 1)), presenter.state.value.index)
    }

    @Test
    fun `another folder has an index of its own`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        folder.photos = listOf(FolderPhoto("content://blue 2", "blue 2.jpg", 1))
        presenter.chooseFolder("content://other")
        presenter.setQuery("blue")
        presenter.search()
        assertEquals(listOf("blue 2.jpg"), (presenter.state.value.found as FoundState.Photos).photos.map { it.name })
        assertEquals(3, stored().size)
    }

    @Test
    fun `where a folder is not listed to its end, nothing is forgotten`() = presenting { presenter ->
        presenter.chooseFolder("content://folder")
        folder.photos = listOf(FolderPhoto("content://red 2", "red 2.jpg", 9))
        folder.incomplete = "the folder cannot be read now"
        presenter.resume()
        assertEquals(IndexState.Failed("the folder cannot be read now"), presenter.state.value.index)
        assertEquals(setOf("content://red", "content://green", "content://blue", "content://red 2"), stored())
        folder.incomplete = null
        presenter.resume()
        assertEquals(IndexState.Complete(IndexProgress(1, 1, 0)), presenter.state.value.index)
        assertEquals(setOf("content://red 2"), stored())
    }

    @Test
    fun `a provider that fails is said, and what it lists again is indexed`() = presenting { presenter ->
        folder.failure = IllegalStateException("the provider is broken")
        presenter.chooseFolder("content://folder")
        val failed = presenter.state.value.index as IndexState.Failed
        assertTrue(failed.message, "IllegalStateException: the provider is broken" in failed.message)
        folder.failure = null
        presenter.resume()
        assertEquals(IndexState.Complete(IndexProgress(3, 4, 1)), presenter.state.value.index)
    }

    @Test
    fun `access that was taken away is said`() = presenting { presenter ->
        folder.failure = SecurityException("no access")
        presenter.chooseFolder("content://folder")
        assertEquals(IndexState.PermissionRefused, presenter.state.value.index)
    }
}
