package org.pocketclip.app.search

/** A photo in the folder that the user picked. */
data class FolderPhoto(val document: String, val name: String, val modifiedMs: Long)

/**
 * The photos of a folder.
 *
 * @property incomplete why there may be more of them, and what to do, in words for people; null where these are all.
 */
data class FolderListing(val photos: List<FolderPhoto>, val incomplete: String? = null)

/** Folders of photos, named by what the system names them with. */
fun interface PhotoFolder {
    /**
     * The photos in the folder and in those below it. Blocking.
     *
     * @throws SecurityException access to it was taken away.
     */
    fun photos(folder: String): FolderListing
}
