package org.pocketclip.app.search

import android.content.ContentResolver
import android.net.Uri
import org.pocketclip.app.photos.Documents

/** Folders of the Storage Access Framework. */
class DocumentPhotoFolder(private val resolver: ContentResolver) : PhotoFolder {
    override fun photos(folder: String): List<FolderPhoto> = Documents(resolver).walk(Uri.parse(folder))
        .filter { it.type.startsWith("image/") && it.type != "image/svg+xml" }
        .map { FolderPhoto(it.uri.toString(), it.name, it.modifiedMs) }
        .toList()
}
