package org.pocketclip.core.image

import java.io.ByteArrayInputStream
import javax.imageio.ImageIO
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.bundle.Interpolation
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.ResizeMode
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.testing.Goldens

/** From image files to upright pixels over white: Python's to the last bit. */
class EncodedImagesTest {
    private val images = Goldens.encoded()

    @Test
    fun `what a decoder hands over becomes Python's pixels`() {
        assertTrue(images.size > 30)
        for (image in images) {
            assertEquals(image.orientation, Orientation.read(image.file).exif, image.name)
            val decoded = with(image.decoded) { RgbImage.overWhite(width, height, pixels) }
            val upright = Orientation.read(image.file).apply(decoded)
            assertEquals(image.upright.width to image.upright.height, upright.width to upright.height, image.name)
            assertArrayEquals(image.upright.pixels, upright.pixels, image.name)
        }
    }

    @Test
    fun `files that the JVM decodes too become Python's pixels`() {
        val plain = Regex("sticker_.*|half_transparent.png|palette_opacities.png|damaged_exif.png|narrow.png|one_bit.png")
        val chosen = images.filter { plain.matches(it.name) }
        assertEquals(8, chosen.size)
        for (image in chosen) {
            val decoded = ImageIO.read(ByteArrayInputStream(image.file))
            val (width, height) = decoded.width to decoded.height
            val rgba = decoded.getRGB(0, 0, width, height, null, 0, width).flatMap { multiplied(it) }.toByteArray()
            val upright = Orientation.read(image.file).apply(RgbImage.overWhite(width, height, rgba))
            assertArrayEquals(image.upright.pixels, upright.pixels, image.name)
        }
    }

    @Test
    fun `a narrow image becomes a square of its colour`() {
        val spec = PreprocessSpec(256, ResizeMode.SHORTEST, Interpolation.BICUBIC, List(3) { 0.0 }, List(3) { 1.0 })
        val tensor = TensorSpec("image", listOf(1, 3, 256, 256), ElementType.UINT8.id, "NCHW", 0.0, 255.0)
        val narrow = images.first { it.name == "narrow.png" }.upright
        val square = ImageInput(spec, tensor).square(narrow).pixels
        assertEquals(setOf(listOf(220.toByte(), 30.toByte(), 30.toByte())), square.toList().chunked(3).toSet())
    }

    /** As Android stores the colour 0xAARRGGBB. */
    private fun multiplied(argb: Int): List<Byte> {
        val opacity = argb ushr 24
        return listOf(16, 8, 0).map { (((argb shr it and 0xFF) * opacity + 127) / 255).toByte() } + opacity.toByte()
    }
}
