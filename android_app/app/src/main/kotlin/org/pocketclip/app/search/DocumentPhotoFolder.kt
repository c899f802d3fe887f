package org.pocketclip.app.search

import android.content.ContentResolver
import android.net.Uri
import org.pocketclip.app.photos.Documents

/** Folders of the Storage Access Framework. */
class DocumentPhotoFolder(private val resolver: ContentResolver) : PhotoFolder {
    override fun photos(folder: String): FolderListing {
        var incomplete: String? = null
        val photos = Documents(resolver).walk(Uri.parse(folder)) { incomplete = incomplete ?: it }
            .filter { it.type.startsWith("image/") && it.type != "image/svg+xml" }
            .map { FolderPhoto(it.uri.toString(), it.name, it.modifiedMs) }
            .toList()
        return FolderListing(photos, incomplete)
    }
}
