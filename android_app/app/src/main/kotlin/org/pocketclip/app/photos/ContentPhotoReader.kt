package org.pocketclip.app.photos

import android.content.ContentResolver
import android.net.Uri
import java.io.IOException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.withContext
import org.pocketclip.core.InputException
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.worded
import org.pocketclip.machine.BitmapPhotos

/** Photographs of content providers, decoded by Android. */
class ContentPhotoReader(private val resolver: ContentResolver, private val io: CoroutineDispatcher) : PhotoReader {
    override suspend fun read(uri: String): RgbImage = withContext(io) {
        val file = try {
            resolver.openInputStream(Uri.parse(uri))?.use { it.readBytes() }
        } catch (error: IOException) {
            throw InputException("the photo cannot be read (${error.message}); choose it again", error)
        } catch (error: SecurityException) {
            throw InputException("access to the photo was taken away; choose it again", error)
        } catch (error: RuntimeException) {
            // A provider's own: where the photo was deleted, too.
            throw InputException("the photo cannot be read (${worded(error)}); choose it again", error)
        } ?: throw InputException("the photo cannot be opened; choose it again")
        BitmapPhotos.decode(file)
    }
}
