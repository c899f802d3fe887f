package org.pocketclip.machine

import android.annotation.TargetApi
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.graphics.Paint
import android.graphics.PorterDuff
import android.graphics.PorterDuffXfermode
import android.os.Build
import java.io.IOException
import java.nio.ByteBuffer
import org.pocketclip.core.InputException
import org.pocketclip.core.image.DecodedSize
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage

/** Photographs, decoded by Android. */
object BitmapPhotos : PhotoDecoder {
    override fun decode(file: ByteArray): RgbImage =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P && !Orientation.readable(file)) {
            upright(file).rgb()
        } else {
            Orientation.read(file).apply(stored(file).rgb())
        }

    /** HEIF and AVIF say with properties of their own how they are turned, which [BitmapFactory] leaves to its caller. */
    @TargetApi(Build.VERSION_CODES.P)
    private fun upright(file: ByteArray): Bitmap = try {
        ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(file))) { decoder, info, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            decoder.setTargetColorSpace(SRGB)
            decoder.setTargetSampleSize(DecodedSize.sampling(info.size.width, info.size.height))
        }
    } catch (error: IOException) {
        throw InputException(UNREADABLE, error)
    }

    private fun stored(file: ByteArray): Bitmap {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(file, 0, file.size, bounds)
        val options = BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            // Photographs of wide gamut are converted, as in training.
            inPreferredColorSpace = SRGB
            inSampleSize = DecodedSize.sampling(bounds.outWidth, bounds.outHeight)
        }
        return BitmapFactory.decodeByteArray(file, 0, file.size, options)
            ?: throw InputException(UNREADABLE)
    }

    private val SRGB = ColorSpace.get(ColorSpace.Named.SRGB)
    private const val UNREADABLE = "the file is no image that this phone can read; choose a JPEG, PNG, WebP or HEIF"
}

/** The bitmap's pixels over white; it is not needed afterwards. */
fun Bitmap.rgb(): RgbImage {
    val rows = (STRIP_PIXELS / width).coerceIn(1, height)
    val strip = Bitmap.createBitmap(width, rows, Bitmap.Config.ARGB_8888).apply { density = Bitmap.DENSITY_NONE }
    val canvas = Canvas(strip)
    // What is drawn replaces what was there, opacity too.
    val paint = Paint().apply { xfermode = PorterDuffXfermode(PorterDuff.Mode.SRC) }
    val image = RgbImage.overWhite(width, height, rows) { first, rgba ->
        // Drawn, since decoders give 16 bits a value for files that have more than 8, whatever they are asked for.
        canvas.drawBitmap(this, 0f, -first.toFloat(), paint)
        // Its memory as it is: red, green, blue and opacity, colours multiplied by it.
        strip.copyPixelsToBuffer(ByteBuffer.wrap(rgba))
    }
    strip.recycle()
    recycle()
    return image
}

/** 4 MiB of a strip, and all of a camera's picture. */
private const val STRIP_PIXELS = 1 shl 20
