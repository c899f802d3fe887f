package org.pocketclip.app.search

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.Engine
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.ranking.Ranking

/** Which folder was picked, over the application's restarts. */
interface FolderMemory {
    var folder: String?
}

/** The screen Search without its views. Indexing goes on in the background while other screens are shown. */
class SearchPresenter(
    private val scope: CoroutineScope,
    private val io: CoroutineDispatcher,
    private val bundle: StateFlow<BundleState>,
    private val indexer: Indexer,
    private val store: EmbeddingStore,
    private val memory: FolderMemory,
) {
    private val current = MutableStateFlow(
        memory.folder?.let { SearchState(folder = it, index = IndexState.Paused(null)) } ?: SearchState(),
    )
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
        current.value = SearchState(folder = folder, query = current.value.query)
        resume()
    }

    /** The system did not give, or took away, access to a folder. */
    fun folderRefused() = current.update { it.copy(index = IndexState.PermissionRefused) }

    /** Indexes what is missing. */
    fun resume() {
        val folder = current.value.folder ?: return
        val engine = engine() ?: return
        if (indexing?.isActive == true) return
        current.update { it.copy(index = IndexState.Running(progress(it.index) ?: IndexProgress(0, 0, 0))) }
        indexing = scope.launch {
            val ended = try {
                val progress = indexer.index(folder, engine) { progress ->
                    current.update { if (it.folder == folder) it.copy(index = IndexState.Running(progress)) else it }
                }
                IndexState.Complete(progress)
            } catch (_: SecurityException) {
                IndexState.PermissionRefused
            } catch (error: PocketClipException) {
                IndexState.Failed(error.message.orEmpty())
            }
            current.update { if (it.folder == folder) it.copy(index = ended) else it }
        }
    }

    /** Stops after the photo that is being worked on; [resume] goes on from there. */
    fun cancel() {
        indexing?.cancel()
        indexing = null
        current.update { it.copy(index = IndexState.Paused(progress(it.index))) }
    }

    fun setQuery(query: String) = current.update { it.copy(query = query) }

    /** Finds the photos that fit the sentence best, among those indexed so far. */
    fun search() {
        val folder = current.value.folder ?: return
        val engine = engine() ?: return
        val sentence = current.value.query.trim()
        searching?.cancel()
        if (sentence.isEmpty()) {
            current.update { it.copy(found = FoundState.Nothing) }
            return
        }
        current.update { it.copy(found = FoundState.Searching) }
        searching = scope.launch {
            val found = try {
                val wanted = engine.embed(sentence)
                withContext(io) { nearest(store.all(folder, engine.summary.sha256), wanted, engine) }
            } catch (error: PocketClipException) {
                FoundState.Failed(error.message.orEmpty())
            }
            current.update { it.copy(found = found) }
        }
    }

    private fun nearest(stored: List<StoredEmbedding>, wanted: FloatArray, engine: Engine): FoundState {
        val ranked = Ranking.rank(wanted, stored.map { it.values }, engine.summary.logitScale, MOST)
        return FoundState.Photos(
            ranked.map { FoundPhoto(stored[it.place].document, stored[it.place].name, it.cosine) },
            stored.size,
        )
    }

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
