package org.pocketclip.core.runtime

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** The type of a tensor's values; stored tensors may have any, models take all but [UINT16]. */
@Serializable
enum class ElementType(val bytes: Int) {
    @SerialName("uint8")
    UINT8(1),

    @SerialName("uint16")
    UINT16(2),

    @SerialName("int32")
    INT32(4),

    @SerialName("float32")
    FLOAT32(4),
    ;

    /** As documents write it. */
    val id: String get() = name.lowercase(java.util.Locale.ROOT)
}

/**
 * Values in C order in a direct little-endian buffer, as runtimes read them without a copy.
 *
 * @property type the values' type.
 * @property shape its sides, each at least 1.
 * @property data the values from position 0 to the buffer's capacity; whoever reads it duplicates it first.
 */
class Tensor(val type: ElementType, val shape: List<Int>, val data: ByteBuffer) {
    init {
        require(shape.all { it > 0 }) { "every side of a tensor must be at least 1, got $shape" }
        require(data.isDirect) { "a tensor's buffer must be direct: runtimes read it without a copy" }
        require(data.order() == ByteOrder.LITTLE_ENDIAN) { "a tensor's buffer must be little-endian" }
        require(data.capacity().toLong() == count(shape) * type.bytes) {
            "a tensor of ${type.id} $shape takes ${count(shape) * type.bytes} bytes, its buffer has ${data.capacity()}"
        }
    }

    /** How many values it has. */
    val size: Int get() = data.capacity() / type.bytes

    /** A view of the bytes with a position of its own, from the first to the last. */
    fun bytes(): ByteBuffer = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).apply { clear() }

    /** The values of a float32 tensor, copied. */
    fun floats(): FloatArray {
        require(type == ElementType.FLOAT32) { "the tensor holds ${type.id}, not float32" }
        return FloatArray(size).also { bytes().asFloatBuffer().get(it) }
    }

    /** The values of an int32 tensor, copied. */
    fun ints(): IntArray {
        require(type == ElementType.INT32) { "the tensor holds ${type.id}, not int32" }
        return IntArray(size).also { bytes().asIntBuffer().get(it) }
    }

    companion object {
        /** A tensor of zeros. */
        fun allocate(type: ElementType, shape: List<Int>): Tensor {
            val bytes = count(shape) * type.bytes
            require(bytes <= Int.MAX_VALUE) { "a tensor of ${type.id} $shape does not fit into one buffer" }
            return Tensor(type, shape, ByteBuffer.allocateDirect(bytes.toInt()).order(ByteOrder.LITTLE_ENDIAN))
        }

        fun of(values: FloatArray, shape: List<Int>): Tensor =
            allocate(ElementType.FLOAT32, shape).apply { bytes().asFloatBuffer().put(values) }

        fun of(values: IntArray, shape: List<Int>): Tensor =
            allocate(ElementType.INT32, shape).apply { bytes().asIntBuffer().put(values) }

        /** Bytes as they are, unsigned. */
        fun of(values: ByteArray, shape: List<Int>): Tensor =
            allocate(ElementType.UINT8, shape).apply { bytes().put(values) }

        /** The product of the sides. */
        fun count(shape: List<Int>): Long = shape.fold(1L) { product, side -> Math.multiplyExact(product, side.toLong()) }
    }
}
