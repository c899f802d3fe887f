package org.pocketclip.core.runtime

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test

class TensorTest {
    @Test
    fun `values lie little-endian in a direct buffer`() {
        val tensor = Tensor.of(intArrayOf(1, 258), listOf(1, 2))
        assertEquals(listOf<Byte>(1, 0, 0, 0, 2, 1, 0, 0), ByteArray(8).also { tensor.bytes().get(it) }.toList())
        assertEquals(listOf(1, 258), tensor.ints().toList())
        assertEquals(2, tensor.size)
        assertEquals(listOf(1.5f), Tensor.of(floatArrayOf(1.5f), listOf(1)).floats().toList())
        assertEquals(3, Tensor.of(byteArrayOf(1, 2, 3), listOf(3)).size)
    }

    @Test
    fun `buffers and shapes that do not fit are mistakes`() {
        val direct = ByteBuffer.allocateDirect(4).order(ByteOrder.LITTLE_ENDIAN)
        for (wrong in listOf<() -> Any>(
            { Tensor(ElementType.INT32, listOf(0), direct) },
            { Tensor(ElementType.INT32, listOf(2), direct) },
            { Tensor(ElementType.INT32, listOf(1), ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN)) },
            { Tensor(ElementType.INT32, listOf(1), ByteBuffer.allocateDirect(4).order(ByteOrder.BIG_ENDIAN)) },
            { Tensor(ElementType.INT32, listOf(1), direct).floats() },
            { Tensor(ElementType.FLOAT32, listOf(1), direct).ints() },
            { Tensor.allocate(ElementType.FLOAT32, listOf(65536, 65536)) },
        )) {
            assertThrows(IllegalArgumentException::class.java) { wrong() }
        }
    }
}
