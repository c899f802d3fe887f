package org.pocketclip.app.search

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.pocketclip.app.bundles.Engine
import org.pocketclip.core.gallery.GalleryIndex

/** The index that is held open: of the folder and the bundle that were asked for last. Opened once, whoever asks first. */
internal class OpenGallery(private val store: GalleryStore, private val io: CoroutineDispatcher) {
    private class Held(val folder: String, val bundleSha256: String, val index: GalleryIndex)

    private val opening = Mutex()
    private var held: Held? = null

    /** Throws as [GalleryStore.open]. */
    suspend fun of(folder: String, engine: Engine): GalleryIndex = opening.withLock {
        val bundle = engine.summary
        val before = held
        if (before != null && before.folder == folder && before.bundleSha256 == bundle.sha256) return before.index
        // The one before need not be in memory any longer.
        held = null
        withContext(io) { store.open(folder, bundle) }.also { held = Held(folder, bundle.sha256, it) }
    }

    /** Removes what is stored of a folder and a bundle. Nobody may write into it. */
    suspend fun discard(folder: String, engine: Engine) = opening.withLock {
        held = null
        withContext(io) { store.discard(folder, engine.summary) }
    }
}
