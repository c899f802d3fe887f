package org.pocketclip.app.photos

import android.content.ContentResolver
import android.net.Uri
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.withContext
import org.pocketclip.core.InputException
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.worded
import org.pocketclip.machine.BitmapPhotos

/** Photographs of content providers, decoded by Android. */
class ContentPhotoReader(
    private val resolver: ContentResolver,
    private val io: CoroutineDispatcher,
    private val decoder: PhotoDecoder = BitmapPhotos,
) : PhotoReader {
    override suspend fun read(uri: String): RgbImage = withContext(io) {
        try {
            decoder.decode(file(uri))
        } catch (error: OutOfMemoryError) {
            throw InputException("the photo does not fit into this phone's memory; make it smaller", error)
        }
    }

    private fun file(uri: String): ByteArray = try {
        resolver.openInputStream(Uri.parse(uri))?.use(::bytes)
    } catch (error: IOException) {
        throw InputException("the photo cannot be read (${error.message}); choose it again", error)
    } catch (error: SecurityException) {
        throw InputException("access to the photo was taken away; choose it again", error)
    } catch (error: RuntimeException) {
        // A provider's own: where the photo was deleted, too.
        throw InputException("the photo cannot be read (${worded(error)}); choose it again", error)
    } ?: throw InputException("the photo cannot be opened; choose it again")

    private fun bytes(input: InputStream): ByteArray {
        val read = ByteArrayOutputStream()
        val part = ByteArray(PART_BYTES)
        while (true) {
            val count = input.read(part)
            if (count < 0) return read.toByteArray()
            read.write(part, 0, count)
            if (read.size() > MOST_BYTES) {
                throw InputException("the photo's file has more than ${MOST_BYTES / 1_000_000} MB; choose a smaller one")
            }
        }
    }

    private companion object {
        /** Photographs of phones have a tenth of it; what is not read needs no memory. */
        const val MOST_BYTES = 64_000_000
        const val PART_BYTES = 1 shl 16
    }
}
