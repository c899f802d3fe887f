package org.pocketclip.app.search

import java.io.File
import org.pocketclip.app.bundles.BundleSummary
import org.pocketclip.core.Hashing
import org.pocketclip.core.gallery.GALLERY_SCHEMA_VERSION
import org.pocketclip.core.gallery.GalleryIdentity
import org.pocketclip.core.gallery.GalleryIndex

/**
 * The indexes of this application, one for each folder of photos and each bundle. Blocking: call it off the main thread.
 *
 * @param folder of the application's own, which no backup contains.
 */
class GalleryStore(private val folder: File) {
    /**
     * The index of a folder's photos; empty where nothing was indexed yet.
     *
     * @throws org.pocketclip.core.GalleryException it cannot be used: [discard] it, and index the photos again.
     * @throws org.pocketclip.core.InputException the folder or the bundle has a name that no index can have.
     */
    fun open(photos: String, bundle: BundleSummary): GalleryIndex = GalleryIndex.open(
        place(photos, bundle),
        GalleryIdentity(
            schemaVersion = GALLERY_SCHEMA_VERSION,
            model = GalleryIdentity.plainName(bundle.model),
            weightsSha256 = bundle.weightsSha256,
            imageSha256 = bundle.imageSha256,
            width = bundle.width,
            folder = photos,
            // As its folder is named.
            artifact = bundle.sha256,
        ),
    )

    /** Removes an index; its embeddings can be made again. */
    fun discard(photos: String, bundle: BundleSummary) {
        place(photos, bundle).deleteRecursively()
    }

    /** What the system names a folder with is no name for a file. */
    private fun place(photos: String, bundle: BundleSummary): File =
        File(folder, Hashing.sha256("${bundle.sha256}\n$photos".toByteArray()))
}
