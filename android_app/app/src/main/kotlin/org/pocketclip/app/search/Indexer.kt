package org.pocketclip.app.search

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.Engine
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.gallery.GalleryIndex
import org.pocketclip.core.gallery.GalleryWriter

/**
 * How far indexing is.
 *
 * @property done photos that are in the index, those of earlier runs too.
 * @property unreadable photos that could not be read; they are left out and tried again the next time.
 */
data class IndexProgress(val done: Int, val total: Int, val unreadable: Int)

/**
 * Embeds the photos of a folder that its index does not have yet, or not as they are now, and forgets those that are gone.
 * Where it is cancelled, the next run goes on from there; where the process dies, some of the last photos are embedded again.
 */
class Indexer(
    private val folders: PhotoFolder,
    private val photos: PhotoReader,
    private val io: CoroutineDispatcher,
) {
    /**
     * @param index of the folder; each photo is found in it at once.
     * @param progress is told after each photo.
     * @throws SecurityException access to the folder was taken away.
     * @throws org.pocketclip.core.ExecutionException a tower failed.
     * @throws org.pocketclip.core.GalleryException the index cannot be used.
     * @throws org.pocketclip.core.MachineException the storage is full; or the folder was not listed to its end: what was
     * listed is in the index then, and nothing was forgotten.
     */
    suspend fun index(folder: String, engine: Engine, index: GalleryIndex, progress: (IndexProgress) -> Unit): IndexProgress {
        val writer = withContext(io) { index.write() }
        try {
            return Run(index, writer, engine).run(folder, progress)
        } finally {
            // Whatever ended it: what was embedded is kept.
            withContext(NonCancellable + io) { writer.close() }
        }
    }

    private inner class Run(private val index: GalleryIndex, private val writer: GalleryWriter, private val engine: Engine) {
        private var added = 0

        suspend fun run(folder: String, progress: (IndexProgress) -> Unit): IndexProgress {
            val listing = withContext(io) { folders.photos(folder) }
            val there = listing.photos
            val missing = withContext(io) { missing(listing) }
            var state = IndexProgress(there.size - missing.size, there.size, 0)
            progress(state)
            for (photo in missing) {
                currentCoroutineContext().ensureActive()
                state = try {
                    val values = engine.embed(photos.read(photo.document))
                    withContext(io) { add(photo, values) }
                    state.copy(done = state.done + 1)
                } catch (_: InputException) {
                    // It may have been another photo before.
                    withContext(io) { writer.forget(photo.document) }
                    state.copy(unreadable = state.unreadable + 1)
                }
                progress(state)
            }
            listing.incomplete?.let { throw MachineException(it) }
            return state
        }

        /** The listed photos that are not in the index; forgets those that are in it and gone. */
        private fun missing(listing: FolderListing): List<FolderPhoto> {
            val known = index.photos().associate { it.photo to it.version }
            // A provider that is away for a moment lists nothing.
            if (listing.incomplete == null) {
                val documents = listing.photos.mapTo(HashSet()) { it.document }
                known.keys.filter { it !in documents }.forEach(writer::forget)
            }
            return listing.photos.filter { known[it.document] != version(it) }
        }

        private fun add(photo: FolderPhoto, values: FloatArray) {
            writer.add(photo.document, version(photo), values, photo.name.take(LONGEST_NAME))
            // Each time costs what some embeddings do on a slow storage.
            if (++added % FLUSH_EVERY == 0) writer.flush()
        }

        private fun version(photo: FolderPhoto): String = "${photo.modifiedMs}"
    }

    private companion object {
        const val FLUSH_EVERY = 32
        const val LONGEST_NAME = 200
    }
}
