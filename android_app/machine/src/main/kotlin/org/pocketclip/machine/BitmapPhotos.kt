package org.pocketclip.machine

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import java.nio.ByteBuffer
import org.pocketclip.core.InputException
import org.pocketclip.core.image.DecodedSize
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage

/** Photographs, decoded by Android. */
object BitmapPhotos : PhotoDecoder {
    override fun decode(file: ByteArray): RgbImage = Orientation.read(file).apply(bitmap(file).rgb())

    private fun bitmap(file: ByteArray): Bitmap {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(file, 0, file.size, bounds)
        val options = BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            // Photographs of wide gamut are converted, as in training.
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
            inSampleSize = DecodedSize.sampling(bounds.outWidth, bounds.outHeight)
        }
        return BitmapFactory.decodeByteArray(file, 0, file.size, options)
            ?: throw InputException("the file is no image that this phone can read; choose a JPEG, PNG, WebP or HEIF")
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
