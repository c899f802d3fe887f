package org.pocketclip.app.photos

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.net.Uri
import java.io.IOException
import java.nio.ByteBuffer
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.withContext
import org.pocketclip.core.InputException
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.RgbImage

/** Photographs of content providers, decoded by Android. */
class ContentPhotoReader(private val resolver: ContentResolver, private val io: CoroutineDispatcher) : PhotoReader {
    override suspend fun read(uri: String): RgbImage = withContext(io) {
        val file = try {
            resolver.openInputStream(Uri.parse(uri))?.use { it.readBytes() }
        } catch (error: IOException) {
            throw InputException("the photo cannot be read (${error.message}); choose it again", error)
        } catch (error: SecurityException) {
            throw InputException("access to the photo was taken away; choose it again", error)
        } ?: throw InputException("the photo cannot be opened; choose it again")
        Orientation.read(file).apply(decode(file).rgb())
    }

    private fun decode(file: ByteArray): Bitmap {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(file, 0, file.size, bounds)
        val options = BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            // Photographs of wide gamut are converted, as in training.
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
            inSampleSize = sampleSize(bounds.outWidth, bounds.outHeight)
        }
        // Unknown sides are -1.
        val left = bounds.outWidth.toLong() * bounds.outHeight / (options.inSampleSize * options.inSampleSize)
        if (bounds.outWidth > 0 && left > MOST_PIXELS) {
            throw InputException("the photo of ${bounds.outWidth} x ${bounds.outHeight} pixels is too large; make it smaller")
        }
        return BitmapFactory.decodeByteArray(file, 0, file.size, options)
            ?: throw InputException("the file is no image that this phone can read; choose a JPEG, PNG, WebP or HEIF")
    }

    companion object {
        /** The shorter side stays at least this long: four times the largest model input, so that resizing stays ours. */
        private const val SHORTEST_SIDE = 1024

        /** A narrow image of more would take a phone's memory. */
        private const val MOST_PIXELS = 50_000_000

        /** The power of two by which the decoder may leave pixels out. */
        internal fun sampleSize(width: Int, height: Int): Int {
            var factor = 1
            while (minOf(width, height) / (factor * 2) >= SHORTEST_SIDE) factor *= 2
            return factor
        }
    }
}

/** The bitmap's pixels over white; it is not needed afterwards. */
fun Bitmap.rgb(): RgbImage {
    // Its memory as it is: red, green, blue and opacity, colours multiplied by it.
    val pixels = ByteBuffer.allocate(rowBytes * height)
    copyPixelsToBuffer(pixels)
    val image = RgbImage.overWhite(width, height, pixels.array(), rowBytes)
    recycle()
    return image
}
