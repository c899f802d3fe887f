package org.pocketclip.app.search

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.Engine
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.core.InputException

/**
 * How far indexing is.
 *
 * @property done photos whose embedding is stored, those of earlier runs too.
 * @property unreadable photos that could not be read; they are left out and tried again the next time.
 */
data class IndexProgress(val done: Int, val total: Int, val unreadable: Int)

/**
 * Embeds the photos of a folder that are not stored yet. Each one is stored at once: where it is cancelled, or the process
 * dies, the next run goes on from there.
 */
class Indexer(
    private val folders: PhotoFolder,
    private val photos: PhotoReader,
    private val store: EmbeddingStore,
    private val io: CoroutineDispatcher,
) {
    /**
     * @param progress is told after each photo.
     * @throws SecurityException access to the folder was taken away.
     * @throws org.pocketclip.core.ExecutionException a tower failed.
     */
    suspend fun index(folder: String, engine: Engine, progress: (IndexProgress) -> Unit): IndexProgress {
        val sha256 = engine.summary.sha256
        val (there, missing) = withContext(io) {
            val listed = folders.photos(folder)
            store.retain(folder, sha256, listed.mapTo(HashSet()) { it.document })
            val known = store.known(folder, sha256)
            listed to listed.filter { known[it.document] != it.modifiedMs }
        }
        var state = IndexProgress(there.size - missing.size, there.size, 0)
        progress(state)
        for (photo in missing) {
            currentCoroutineContext().ensureActive()
            state = try {
                val values = engine.embed(photos.read(photo.document))
                withContext(io) {
                    store.put(folder, sha256, StoredEmbedding(photo.document, photo.name, photo.modifiedMs, values))
                }
                state.copy(done = state.done + 1)
            } catch (_: InputException) {
                state.copy(unreadable = state.unreadable + 1)
            }
            progress(state)
        }
        return state
    }
}
