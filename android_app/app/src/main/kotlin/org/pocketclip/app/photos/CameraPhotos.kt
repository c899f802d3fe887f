package org.pocketclip.app.photos

import java.io.File

/**
 * Where the system's camera application puts photos. Each has a name of its own: one that changed under its name would
 * not be drawn anew. Only the latest is kept.
 */
class CameraPhotos(private val folder: File) {
    /** A file for the photo that is taken next. */
    fun next(): File {
        folder.mkdirs()
        return File.createTempFile("camera", ".jpg", folder)
    }

    /** It was taken: those before are not needed any more. */
    fun keepOnly(photo: File) = folder.listFiles().orEmpty().filter { it != photo }.forEach { it.delete() }

    /** The user took none. */
    fun giveUp(photo: File) {
        photo.delete()
    }
}
