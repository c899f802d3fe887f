package org.pocketclip.app.search

import kotlin.coroutines.cancellation.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.Engine
import org.pocketclip.core.GalleryBusyException
import org.pocketclip.core.GalleryException
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.gallery.GalleryHit
import org.pocketclip.core.gallery.GalleryIndex
import org.pocketclip.core.worded

/** Which folder was picked, over the application's restarts. */
interface FolderMemory {
    var folder: String?
}

/**
 * The screen Search without its views. Indexing goes on in the background while other screens are shown. The folder's index
 * is opened once: what is indexed is found at once.
 */
class SearchPresenter(
    private val scope: CoroutineScope,
    private val io: CoroutineDispatcher,
    private val bundle: StateFlow<BundleState>,
    private val indexer: Indexer,
    store: GalleryStore,
    private val memory: FolderMemory,
) {
    private val current = MutableStateFlow(
        memory.folder?.let { SearchState(folder = it, index = IndexState.Paused(null)) } ?: SearchState(),
    )
    private val gallery = OpenGallery(store, io)
    private var indexing: Job? = null
    private var searching: Job? = null
    private var used: Engine? = null

    val state: StateFlow<SearchState> = current.asStateFlow()

    init {
        scope.launch {
            bundle.collect { state ->
                if (state is BundleState.Ready) {
                    if (used != null && used !== state.engine) leave()
                    used = state.engine
                }
            }
        }
    }

    /** Another bundle came: what the one before found and embedded says nothing of it. */
    private fun leave() {
        indexing?.cancel()
        searching?.cancel()
        current.update {
            it.copy(index = if (it.folder == null) IndexState.None else IndexState.Paused(null), found = FoundState.Nothing)
        }
    }

    fun chooseFolder(folder: String) {
        memory.folder = folder
        indexing?.cancel()
        searching?.cancel()
        current.value = SearchState(folder = folder, query = current.value.query)
        resume()
    }

    /** The system did not give, or took away, access to a folder. */
    fun folderRefused() = current.update { it.copy(index = IndexState.PermissionRefused) }

    /** Indexes what is missing. */
    fun resume() = index(discard = false)

    /** Removes an index that cannot be used, and makes it anew. */
    fun startAnew() = index(discard = true)

    private fun index(discard: Boolean) {
        val folder = current.value.folder ?: return
        val engine = engine() ?: return
        val before = indexing
        if (before?.isActive == true) return
        current.update { it.copy(index = IndexState.Running(progress(it.index) ?: IndexProgress(0, 0, 0))) }
        indexing = scope.launch {
            // Only one may write: one that was cancelled still stores what it has.
            before?.join()
            val ended = try {
                if (discard) gallery.discard(folder, engine)
                val progress = indexer.index(folder, engine, gallery.of(folder, engine)) { progress ->
                    current.update { if (it.folder == folder) it.copy(index = IndexState.Running(progress)) else it }
                }
                IndexState.Complete(progress)
            } catch (_: SecurityException) {
                IndexState.PermissionRefused
            } catch (error: PocketClipException) {
                failed(error)
            } catch (error: CancellationException) {
                throw error
            } catch (error: RuntimeException) {
                // What comes from outside never ends the application.
                IndexState.Failed("the photos cannot be indexed (${worded(error)}); try again, or choose another folder")
            }
            currentCoroutineContext().ensureActive()
            current.update { if (it.folder == folder) it.copy(index = ended) else it }
        }
    }

    private fun failed(error: PocketClipException): IndexState = when (error) {
        is GalleryBusyException -> IndexState.Failed(error.message.orEmpty())
        is GalleryException -> IndexState.Unusable(error.message.orEmpty())
        else -> IndexState.Failed(error.message.orEmpty())
    }

    /** Stops after the photo that is being worked on; [resume] goes on from there. */
    fun cancel() {
        indexing?.cancel()
        current.update { it.copy(index = IndexState.Paused(progress(it.index))) }
    }

    fun setQuery(query: String) = current.update { it.copy(query = query) }

    /** Finds the photos that fit the sentence best, among those indexed so far. */
    fun search() {
        val sentence = current.value.query.trim()
        if (sentence.isEmpty()) {
            stopSearching()
            return
        }
        find(FoundState.Searching) { index, engine ->
            val wanted = engine.embed(sentence)
            withContext(io) { photos(index, index.nearest(wanted, MOST)) }
        }
    }

    /** Finds the photos that resemble one of the index most. */
    fun searchLike(photo: FoundPhoto) = find(FoundState.Searching) { index, _ ->
        withContext(io) { photos(index, index.similar(photo.document, MOST), photo.name) }
    }

    /** Finds photos that are the same, or nearly, among those indexed so far. */
    fun findDuplicates() = find(FoundState.Comparing(0)) { index, _ ->
        withContext(io) {
            val context = currentCoroutineContext()
            val groups = index.similarGroups { share ->
                context.ensureActive()
                val comparing = FoundState.Comparing((share * 100).toInt())
                current.update { if (it.found is FoundState.Comparing) it.copy(found = comparing) else it }
            }
            FoundState.Groups(
                groups.map { group -> FoundGroup(group.photos.map { FoundPhoto(it.photo, it.shownName, null) }, group.cosine) },
            )
        }
    }

    /** Ends a search, and takes away what was found. */
    fun stopSearching() {
        searching?.cancel()
        current.update { it.copy(found = FoundState.Nothing) }
    }

    private fun find(meanwhile: FoundState, action: suspend (GalleryIndex, Engine) -> FoundState) {
        val folder = current.value.folder ?: return
        val engine = engine() ?: return
        val before = searching
        before?.cancel()
        current.update { it.copy(found = meanwhile) }
        searching = scope.launch {
            // It may be telling how far it is.
            before?.join()
            val found = try {
                action(gallery.of(folder, engine), engine)
            } catch (error: PocketClipException) {
                if (error is GalleryException) refuse(folder, error)
                FoundState.Failed(error.message.orEmpty())
            }
            currentCoroutineContext().ensureActive()
            current.update { it.copy(found = found) }
        }
    }

    /** An index that cannot be searched cannot be added to either. */
    private fun refuse(folder: String, error: GalleryException) = current.update {
        if (it.folder == folder && it.index !is IndexState.Running) it.copy(index = failed(error)) else it
    }

    private fun photos(index: GalleryIndex, hits: List<GalleryHit>, like: String? = null): FoundState =
        FoundState.Photos(hits.map { FoundPhoto(it.photo.photo, it.photo.shownName, it.cosine) }, index.photoCount, like)

    private fun engine(): Engine? = (bundle.value as? BundleState.Ready)?.engine

    private fun progress(index: IndexState): IndexProgress? = when (index) {
        is IndexState.Running -> index.progress
        is IndexState.Paused -> index.progress
        is IndexState.Complete -> index.progress
        else -> null
    }

    private companion object {
        /** More than anybody scrolls through. */
        const val MOST = 60
    }
}
