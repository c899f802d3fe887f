package org.pocketclip.core.image

import kotlin.math.abs
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.Interpolation
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.ResizeMode
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.text

class ImageInputTest {
    @Test
    fun `resized pixels are Pillow's to the last bit`() {
        val images = Goldens.images()
        assertEquals(50, images.size)
        for (entry in Goldens.imageSpecs().map { it.jsonObject }) {
            val spec = Documents.read(PreprocessSpec.serializer(), entry.getValue("preprocess").toString(), "spec")
            val wanted = Goldens.tensor(entry.getValue("pixels")).let { tensor -> ByteArray(tensor.size).also { tensor.bytes().get(it) } }
            val input = ImageInput(spec, bytesSpec(spec))
            val area = spec.imageSize * spec.imageSize * 3
            images.forEachIndexed { place, image ->
                val found = input.square(image.upright).pixels
                assertArrayEquals(wanted.copyOfRange(place * area, (place + 1) * area), found, "${entry.text("name")} of ${image.name}")
            }
        }
    }

    @Test
    fun `the tower's input is Python's in every layout and type`() {
        val images = Goldens.images().associateBy { it.name }
        var compared = 0
        for (entry in Goldens.imageSpecs().map { it.jsonObject }) {
            val spec = Documents.read(PreprocessSpec.serializer(), entry.getValue("preprocess").toString(), "spec")
            for (form in entry.getValue("inputs").jsonArray.map { it.jsonObject }) {
                val tensorSpec = Documents.read(TensorSpec.serializer(), form.getValue("input").toString(), "input")
                val wanted = Goldens.tensor(form.getValue("values"))
                val input = ImageInput(spec, tensorSpec)
                val size = wanted.data.capacity() / wanted.shape[0]
                form.getValue("images").jsonArray.forEachIndexed { place, name ->
                    val found = input.of(images.getValue(name.jsonPrimitive.content).upright)
                    assertEquals(tensorSpec.shape, found.shape)
                    val part = wanted.bytes().apply { position(place * size).limit((place + 1) * size) }
                    assertEquals(0, part.compareTo(found.bytes()), "${entry.text("name")} ${tensorSpec.layout} ${tensorSpec.dtype}")
                    compared++
                }
            }
        }
        assertEquals(32, compared)
    }

    @Test
    fun `steps and channels belong to the layout`() {
        val spec = PreprocessSpec(4, ResizeMode.SQUASH, Interpolation.BICUBIC, listOf(0.0, 0.0, 0.0), listOf(0.5, 1.0, 0.25))
        val first = ImageInput(spec, TensorSpec("i", listOf(1, 3, 4, 4), "float32", "NCHW", 0.0, 4.0))
        assertEquals(listOf(0, 0, 1, 2), listOf(0, 15, 16, 47).map(first::channel))
        assertTrue(abs(first.stepSizes[0] - 1 / 127.5) < 1e-12)
        val last = ImageInput(spec, TensorSpec("i", listOf(1, 4, 4, 3), "uint8", "NHWC", 0.0, 255.0))
        assertEquals(listOf(0, 1, 2, 0), (0..3).map(last::channel))
        assertEquals(listOf(1.0, 1.0, 1.0), last.stepSizes)
    }

    @Test
    fun `inputs that the preprocessing does not make are refused`() {
        val spec = PreprocessSpec(4, ResizeMode.SQUASH, Interpolation.BICUBIC, listOf(0.0, 0.0, 0.0), listOf(1.0, 1.0, 1.0))
        val good = TensorSpec("i", listOf(1, 3, 4, 4), "float32", "NCHW", 0.0, 1.0)
        ImageInput(spec, good)
        for ((broken, word) in listOf(
            (spec to good.copy(layout = "CHWN")) to "layout",
            (spec to good.copy(dtype = "float16")) to "float16",
            (spec to good.copy(shape = listOf(1, 3, 5, 5))) to "[1, 3, 5, 5]",
            (spec to good.copy(maximum = 255.0)) to "255",
            (spec.copy(imageSize = 0) to good) to "image_size",
            (spec.copy(std = listOf(1.0, 0.0, 1.0)) to good) to "std",
            (spec.copy(mean = listOf(1.0)) to good) to "mean",
        )) {
            val error = assertThrows(BundleMalformedException::class.java) { ImageInput(broken.first, broken.second) }
            assertTrue(word in error.message.orEmpty(), error.message)
        }
    }

    @Test
    fun `pixels of Android's bitmaps become packed RGB`() {
        // Rows of two pixels and two bytes that belong to none; the third pixel has more colour than opacity allows.
        val rows = listOf(10, 20, 30, 255, 5, 0, 8, 10, 99, 99, 60, 1, 0, 50, 0, 0, 0, 0).map(Int::toByte).toByteArray()
        val wanted = listOf(10, 20, 30, 250, 245, 253, 255, 206, 205, 255, 255, 255).map(Int::toByte).toByteArray()
        assertArrayEquals(wanted, RgbImage.overWhite(2, 2, rows, rowBytes = 10).pixels)
        assertThrows(IllegalArgumentException::class.java) { RgbImage.overWhite(2, 2, ByteArray(15)) }
        assertThrows(IllegalArgumentException::class.java) { RgbImage.overWhite(2, 2, ByteArray(99), rowBytes = 7) }
        val column = List(7) { listOf(it, 0, 0, 200) }
        val whole = RgbImage.overWhite(1, 7, column.flatten().map(Int::toByte).toByteArray()).pixels
        for (strip in 1..8) {
            val read = RgbImage.overWhite(1, 7, strip) { first, rgba ->
                column.drop(first).take(strip).flatten().forEachIndexed { place, value -> rgba[place] = value.toByte() }
            }
            assertArrayEquals(whole, read.pixels, "$strip rows at a time")
        }
        assertThrows(IllegalArgumentException::class.java) { RgbImage.overWhite(1, 7, 0) { _, _ -> } }
        assertThrows(IllegalArgumentException::class.java) { RgbImage(0, 1, ByteArray(0)) }
        assertThrows(IllegalArgumentException::class.java) { RgbImage(1, 1, ByteArray(4)) }
    }

    @Test
    fun `a photograph of twelve megapixels takes no more memory than its rows need`() {
        val spec = PreprocessSpec(32, ResizeMode.SHORTEST, Interpolation.BILINEAR, List(3) { 0.0 }, List(3) { 1.0 })
        val image = RgbImage(4000, 3000, ByteArray(4000 * 3000 * 3) { 100 })
        val square = ImageInput(spec, bytesSpec(spec)).square(image)
        assertTrue(square.pixels.all { it.toInt() == 100 })
        // A line: the other side would be a million pixels long.
        val line = RgbImage(1, 30_000, ByteArray(90_000) { 7 })
        assertTrue(ImageInput(spec, bytesSpec(spec)).square(line).pixels.all { it.toInt() == 7 })
    }

    private fun bytesSpec(spec: PreprocessSpec) =
        TensorSpec("image", listOf(1, 3, spec.imageSize, spec.imageSize), ElementType.UINT8.id, "NCHW", 0.0, 255.0)
}
