package org.pocketclip.core.image

import kotlin.math.abs
import kotlin.math.ceil
import org.pocketclip.core.bundle.Interpolation

/** A part of an image: [left] and [top] are inside, [width] and [height] at least 1. */
data class Box(val left: Int, val top: Int, val width: Int, val height: Int)

/**
 * Resizes packed RGB bit for bit as Pillow 13's `Image.resize` does: weights of 22 bits, one pass for each side that changes,
 * each rounded to 8 bits. When it shrinks, the filter's support grows by the scale.
 */
internal object Resampling {
    private const val PRECISION = 32 - 8 - 2
    private const val HALF = 1 shl (PRECISION - 1)
    private const val BYTE = 0xFF

    /** `part` of `image` resized to `width` by `height`; what lies outside of it is not computed. */
    fun resize(image: RgbImage, width: Int, height: Int, part: Box, filter: Interpolation): RgbImage {
        val kernel = Kernel.of(filter)
        val rows = if (height == image.height) null else Weights.of(image.height, height, part.top, part.height, kernel)
        val columns = if (width == image.width) null else Weights.of(image.width, width, part.left, part.width, kernel)
        val needed = Box(
            columns?.first ?: part.left,
            rows?.first ?: part.top,
            columns?.let { it.last - it.first } ?: part.width,
            rows?.let { it.last - it.first } ?: part.height,
        )
        val cut = cut(image, needed)
        return if (verticalFirst(image, width, height)) {
            horizontally(vertically(cut, rows, needed.top), columns, needed.left)
        } else {
            vertically(horizontally(cut, columns, needed.left), rows, needed.top)
        }
    }

    // Pillow's rule, to the letter: the order decides about the last bit.
    private fun verticalFirst(image: RgbImage, width: Int, height: Int): Boolean {
        val shrinks = image.height - height
        return shrinks > 0 && shrinks > (image.width - width) * 2
    }

    private fun cut(image: RgbImage, box: Box): RgbImage {
        if (box.width == image.width && box.height == image.height) return image
        val length = box.width * RgbImage.CHANNELS
        val made = ByteArray(box.height * length)
        for (row in 0 until box.height) {
            val from = ((box.top + row) * image.width + box.left) * RgbImage.CHANNELS
            image.pixels.copyInto(made, row * length, from, from + length)
        }
        return RgbImage(box.width, box.height, made)
    }

    /** The image resized across, whose first column is `first` of those that the weights know. */
    private fun horizontally(image: RgbImage, weights: Weights?, first: Int): RgbImage {
        if (weights == null) return image
        val width = weights.starts.size
        val stride = image.width * RgbImage.CHANNELS
        val made = ByteArray(image.height * width * RgbImage.CHANNELS)
        var place = 0
        for (row in 0 until image.height) {
            for (column in 0 until width) {
                val start = row * stride + (weights.starts[column] - first) * RgbImage.CHANNELS
                sum(image.pixels, start, RgbImage.CHANNELS, weights, column, made, place)
                place += RgbImage.CHANNELS
            }
        }
        return RgbImage(width, image.height, made)
    }

    /** The image resized downwards, whose first row is `first` of those that the weights know. */
    private fun vertically(image: RgbImage, weights: Weights?, first: Int): RgbImage {
        if (weights == null) return image
        val height = weights.starts.size
        val stride = image.width * RgbImage.CHANNELS
        val made = ByteArray(height * stride)
        var place = 0
        for (row in 0 until height) {
            val start = (weights.starts[row] - first) * stride
            for (column in 0 until image.width) {
                sum(image.pixels, start + column * RgbImage.CHANNELS, stride, weights, row, made, place)
                place += RgbImage.CHANNELS
            }
        }
        return RgbImage(image.width, height, made)
    }

    /** The weighted sum of pixels `step` bytes apart. */
    private fun sum(pixels: ByteArray, start: Int, step: Int, weights: Weights, of: Int, made: ByteArray, place: Int) {
        var red = HALF
        var green = HALF
        var blue = HALF
        var from = start
        val offset = of * weights.size
        for (tap in offset until offset + weights.counts[of]) {
            val weight = weights.values[tap]
            red += (pixels[from].toInt() and BYTE) * weight
            green += (pixels[from + 1].toInt() and BYTE) * weight
            blue += (pixels[from + 2].toInt() and BYTE) * weight
            from += step
        }
        made[place] = (red shr PRECISION).coerceIn(0, BYTE).toByte()
        made[place + 1] = (green shr PRECISION).coerceIn(0, BYTE).toByte()
        made[place + 2] = (blue shr PRECISION).coerceIn(0, BYTE).toByte()
    }

    private class Kernel(val support: Double, val value: (Double) -> Double) {
        companion object {
            private const val A = -0.5

            fun of(filter: Interpolation): Kernel = when (filter) {
                Interpolation.BILINEAR -> Kernel(1.0) { x -> maxOf(0.0, 1.0 - abs(x)) }
                Interpolation.BICUBIC -> Kernel(2.0) { x -> cubic(abs(x)) }
            }

            private fun cubic(x: Double): Double = when {
                x < 1.0 -> ((A + 2.0) * x - (A + 3.0)) * x * x + 1
                x < 2.0 -> (((x - 5) * x + 8) * x - 4) * A
                else -> 0.0
            }
        }
    }

    /**
     * Of each output place: where its inputs start, how many they are, and their weights, `size` a place.
     */
    private class Weights(val starts: IntArray, val counts: IntArray, val values: IntArray, val size: Int) {
        /** Inputs from [first] up to, not including, [last] are needed. */
        val first: Int = starts.first()
        val last: Int = starts.last() + counts.last()

        companion object {
            /** For outputs `begin` up to `begin + count` of `outputs` in all. */
            fun of(inputs: Int, outputs: Int, begin: Int, count: Int, kernel: Kernel): Weights {
                val scale = inputs.toDouble() / outputs
                val stretch = maxOf(scale, 1.0)
                val support = kernel.support * stretch
                val size = ceil(support).toInt() * 2 + 1
                val starts = IntArray(count)
                val counts = IntArray(count)
                val values = IntArray(count * size)
                val inverse = 1.0 / stretch
                for (place in 0 until count) {
                    val center = (begin + place + 0.5) * scale
                    val start = maxOf(0, (center - support + 0.5).toInt())
                    val taps = minOf(inputs, (center + support + 0.5).toInt()) - start
                    val exact = DoubleArray(taps) { kernel.value((it + start - center + 0.5) * inverse) }
                    val sum = exact.fold(0.0, Double::plus)
                    starts[place] = start
                    counts[place] = taps
                    for (tap in 0 until taps) {
                        val share = (if (sum != 0.0) exact[tap] / sum else exact[tap]) * (1 shl PRECISION)
                        values[place * size + tap] = (share + if (share < 0) -0.5 else 0.5).toInt()
                    }
                }
                return Weights(starts, counts, values, size)
            }
        }
    }
}
