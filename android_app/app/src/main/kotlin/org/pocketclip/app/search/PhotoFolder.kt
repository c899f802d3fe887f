package org.pocketclip.app.search

/** A photo in the folder that the user picked. */
data class FolderPhoto(val document: String, val name: String, val modifiedMs: Long)

/** Folders of photos, named by what the system names them with. */
fun interface PhotoFolder {
    /**
     * The photos in the folder and in those below it. Blocking.
     *
     * @throws SecurityException access to it was taken away.
     */
    fun photos(folder: String): List<FolderPhoto>
}
