package org.pocketclip.app.photos

import org.pocketclip.core.image.RgbImage

/** Reads photographs by what the system names them with. */
fun interface PhotoReader {
    /**
     * The photograph, upright, no larger than models need.
     *
     * @throws org.pocketclip.core.InputException it cannot be read, or is no image.
     */
    suspend fun read(uri: String): RgbImage
}
