package org.pocketclip.core.testing

import org.pocketclip.core.InputException
import org.pocketclip.core.bundle.Interpolation
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.ResizeMode
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage

/** Decodes a file's first byte to the colour of all pixels; what begins with `damaged` is no image. */
object Photos : PhotoDecoder {
    val PREPROCESS = PreprocessSpec(4, ResizeMode.SHORTEST, Interpolation.BILINEAR, List(3) { 0.0 }, List(3) { 1.0 })
    val INPUT = TensorSpec("image", listOf(1, 3, 4, 4), "float32", "NCHW", 0.0, 1.0)

    override fun decode(file: ByteArray): RgbImage {
        if (file.decodeToString().startsWith("damaged")) throw InputException("it is damaged")
        return RgbImage(6, 8, ByteArray(6 * 8 * RgbImage.CHANNELS) { file[0] })
    }
}
