package org.pocketclip.core.image

import kotlin.math.abs
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.ResizeMode
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Tensor

/**
 * Makes the image tower's input of upright images.
 *
 * @throws BundleMalformedException the tower's input is none that this preprocessing makes.
 */
class ImageInput(private val preprocess: PreprocessSpec, private val spec: TensorSpec) {
    private val size = preprocess.imageSize
    private val channelsFirst = spec.layout == CHANNELS_FIRST
    private val bytes = spec.dtype == ElementType.UINT8.id

    // What each of the 256 values becomes, by channel: in the float arithmetic of Python, so that values are equal.
    private val normalized: Array<FloatArray>

    init {
        checkPreprocess()
        checkSpec()
        val plain = preprocess.mean.all { it == 0.0 } && preprocess.std.all { it == 1.0 }
        normalized = Array(RgbImage.CHANNELS) { channel ->
            val mean = preprocess.mean[channel].toFloat()
            val std = preprocess.std[channel].toFloat()
            FloatArray(VALUES) { value -> (value / HIGHEST.toFloat()).let { if (plain) it else (it - mean) / std } }
        }
    }

    /** What one step of an 8-bit value is in the tower's input, by channel. */
    val stepSizes: List<Double> =
        List(RgbImage.CHANNELS) { if (bytes) 1.0 else 1 / (HIGHEST * preprocess.std[it]) }

    /** Which channel a value of the input belongs to, by its place in the tensor. */
    fun channel(place: Int): Int =
        if (channelsFirst) place / (size * size) % RgbImage.CHANNELS else place % RgbImage.CHANNELS

    /** Resizes and cuts an upright image: the square that the model sees. */
    fun square(image: RgbImage): RgbImage {
        if (preprocess.resizeMode == ResizeMode.SQUASH) {
            return Resampling.resize(image, size, size, Box(0, 0, size, size), preprocess.interpolation)
        }
        val shorter = minOf(image.width, image.height)
        val width = scaled(image.width, shorter)
        val height = scaled(image.height, shorter)
        val part = Box(corner(width), corner(height), size, size)
        return Resampling.resize(image, width, height, part, preprocess.interpolation)
    }

    /** Resizes, cuts and normalises an upright image: a tensor of batch 1 in the tower's layout and type. */
    fun of(image: RgbImage): Tensor {
        val pixels = square(image).pixels
        val tensor = Tensor.allocate(if (bytes) ElementType.UINT8 else ElementType.FLOAT32, spec.shape)
        val area = size * size
        if (bytes) {
            val made = if (channelsFirst) ByteArray(pixels.size) { pixels[it % area * RgbImage.CHANNELS + it / area] } else pixels
            tensor.bytes().put(made)
            return tensor
        }
        val made = FloatArray(pixels.size) { place ->
            val from = if (channelsFirst) place % area * RgbImage.CHANNELS + place / area else place
            normalized[from % RgbImage.CHANNELS][pixels[from].toInt() and HIGHEST]
        }
        tensor.bytes().asFloatBuffer().put(made)
        return tensor
    }

    // In the order of Python's `int(size * longer / shorter)`: one rounding to double precision.
    private fun scaled(side: Int, shorter: Int): Int =
        if (side == shorter) size else ((size.toLong() * side).toDouble() / shorter).toInt()

    private fun corner(side: Int): Int = Math.rint((side - size) / 2.0).toInt()

    private fun checkPreprocess() {
        val (mean, std) = preprocess.mean to preprocess.std
        if (size < 1 || mean.size != RgbImage.CHANNELS || std.size != RgbImage.CHANNELS || std.any { it <= 0 }) {
            throw BundleMalformedException(
                "preprocessing needs an image_size of at least 1 and a mean and a positive std for each of 3 channels, " +
                    "got $size, $mean and $std; make the bundle again",
            )
        }
    }

    private fun checkSpec() {
        val shapes = mapOf(
            CHANNELS_FIRST to listOf(1, RgbImage.CHANNELS, size, size),
            CHANNELS_LAST to listOf(1, size, size, RgbImage.CHANNELS),
        )
        if (spec.layout !in shapes || (spec.dtype != ElementType.FLOAT32.id && !bytes)) {
            throw BundleMalformedException(
                "the image tower takes ${spec.dtype} in layout ${spec.layout}; bundles know float32 and uint8 in NCHW and NHWC",
            )
        }
        val made = shapes.getValue(spec.layout)
        if (spec.shape != made) {
            throw BundleMalformedException(
                "the image tower takes ${spec.shape}, its preprocessing makes $made; export the image tower again",
            )
        }
        val low = if (bytes) 0.0 else preprocess.mean.indices.minOf { (0 - preprocess.mean[it]) / preprocess.std[it] }
        val high =
            if (bytes) HIGHEST.toDouble() else preprocess.mean.indices.maxOf { (1 - preprocess.mean[it]) / preprocess.std[it] }
        if (abs(spec.minimum - low) > ROUNDING || abs(spec.maximum - high) > ROUNDING) {
            throw BundleMalformedException(
                "the image tower takes values from ${spec.minimum} to ${spec.maximum}, its preprocessing makes $low to $high; " +
                    "export the image tower again",
            )
        }
    }

    private companion object {
        const val CHANNELS_FIRST = "NCHW"
        const val CHANNELS_LAST = "NHWC"
        const val VALUES = 256
        const val HIGHEST = 255

        // Of declared ranges: they were computed from mean and std in double precision.
        const val ROUNDING = 1e-4
    }
}
