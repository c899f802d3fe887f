package org.pocketclip.core.testing

import java.io.File
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.StoredTensor
import org.pocketclip.core.bundle.TokenizerSpec
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.tokenizer.BundleTokenizer

/** The golden files that tests/app_golden/make.py writes. */
object Goldens {
    val folder = File(System.getProperty("pocketclip.goldens") ?: "../../tests/app_golden")

    fun json(path: String): JsonElement = Documents.parse(File(folder, path).readText(), path)

    fun tokenizerSpec(name: String): TokenizerSpec {
        val file = "tokenizer_$name.json"
        return Documents.read(TokenizerSpec.serializer(), File(folder, file).readText(), file)
    }

    fun tokenizer(name: String): BundleTokenizer {
        val spec = tokenizerSpec(name)
        return BundleTokenizer(spec, integers(spec.merges), spec.keptIds?.let(::integers))
    }

    fun integers(stored: StoredTensor): IntArray = Bundle.integers(Bundle.read(folder, stored))

    /** An image as it is stored, and how it is turned upright. */
    class Image(val name: String, val stored: RgbImage, val orientation: Orientation) {
        val upright: RgbImage get() = orientation.apply(stored)
    }

    fun images(): List<Image> = json("images.json").jsonObject.getValue("images").jsonArray.map { entry ->
        val fields = entry.jsonObject
        val name = fields.text("name")
        val pixels = File(folder, "images/$name.rgb").readBytes()
        Image(name, RgbImage(fields.number("width"), fields.number("height"), pixels), Orientation.of(fields.number("orientation")))
    }

    /**
     * An image file, and what must become of it.
     *
     * @property decoded what a decoder hands over: RGBA in sRGB, not turned, colours multiplied by opacity.
     */
    class Encoded(val name: String, val file: ByteArray, val orientation: Int, val decoded: RgbaImage, val upright: RgbImage)

    class RgbaImage(val width: Int, val height: Int, val pixels: ByteArray)

    fun encoded(): List<Encoded> = json("encoded.json").jsonArray.map { entry ->
        val fields = entry.jsonObject
        val name = fields.text("name")
        val (stored, upright) = listOf("stored", "upright").map { fields.getValue(it).jsonObject }
        val (file, rgba, rgb) = listOf("", ".rgba", ".rgb").map { File(folder, "encoded/$name$it").readBytes() }
        Encoded(
            name,
            file,
            fields.number("orientation"),
            RgbaImage(stored.number("width"), stored.number("height"), rgba),
            RgbImage(upright.number("width"), upright.number("height"), rgb),
        )
    }

    fun imageSpecs(): JsonArray = json("images.json").jsonObject.getValue("specs").jsonArray

    fun tensor(entry: JsonElement): Tensor =
        Bundle.read(folder, Documents.read(StoredTensor.serializer(), entry.toString(), "a tensor"))
}

fun JsonObject.text(field: String): String = getValue(field).jsonPrimitive.content

fun JsonObject.number(field: String): Int = getValue(field).jsonPrimitive.int

fun JsonObject.ids(field: String): List<Int> = getValue(field).jsonArray.map { it.jsonPrimitive.int }
