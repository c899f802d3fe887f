package org.pocketclip.bench.cli

import java.awt.AlphaComposite
import java.awt.image.BufferedImage
import java.awt.image.DataBufferInt
import java.io.ByteArrayInputStream
import java.io.IOException
import javax.imageio.ImageIO
import javax.imageio.ImageReader
import javax.imageio.stream.MemoryCacheImageInputStream
import org.pocketclip.core.InputException
import org.pocketclip.core.image.DecodedSize
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage

/** Photographs, decoded by Java: JPEG, PNG, GIF, BMP and TIFF. It stands for Android's decoders, which the JVM has not. */
internal object ImageIoPhotos : PhotoDecoder {
    override fun decode(file: ByteArray): RgbImage {
        val stored = try {
            read(file)
        } catch (error: IOException) {
            throw InputException("the file is damaged (${error.message})", error)
        } catch (error: RuntimeException) {
            // Java's decoders throw whatever their parsers meet in damaged files.
            throw InputException("the file is damaged ($error)", error)
        } ?: throw InputException("the file is no image that Java can read; choose a JPEG or PNG")
        return Orientation.read(file).apply(rgb(stored))
    }

    private fun read(file: ByteArray): BufferedImage? {
        val input = MemoryCacheImageInputStream(ByteArrayInputStream(file))
        val reader: ImageReader = ImageIO.getImageReaders(input).asSequence().firstOrNull() ?: return null
        try {
            reader.input = input
            val parameters = reader.defaultReadParam
            val sampling = DecodedSize.sampling(reader.getWidth(0), reader.getHeight(0))
            parameters.setSourceSubsampling(sampling, sampling, 0, 0)
            return reader.read(0, parameters)
        } finally {
            reader.dispose()
        }
    }

    /** In sRGB and over white, by the arithmetic of the app. */
    private fun rgb(stored: BufferedImage): RgbImage {
        val image = BufferedImage(stored.width, stored.height, BufferedImage.TYPE_INT_ARGB_PRE)
        image.createGraphics().apply {
            composite = AlphaComposite.Src
            drawImage(stored, 0, 0, null)
            dispose()
        }
        val values = (image.raster.dataBuffer as DataBufferInt).data
        val bytes = ByteArray(values.size * CHANNELS)
        values.forEachIndexed { place, value ->
            bytes[place * CHANNELS] = (value shr 16).toByte()
            bytes[place * CHANNELS + 1] = (value shr 8).toByte()
            bytes[place * CHANNELS + 2] = value.toByte()
            bytes[place * CHANNELS + 3] = (value shr 24).toByte()
        }
        return RgbImage.overWhite(image.width, image.height, bytes)
    }

    private const val CHANNELS = 4
}
