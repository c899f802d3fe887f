package org.pocketclip.runtime.litert

import java.nio.ByteBuffer
import java.nio.file.Path
import java.util.Random
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.ElementType

class LiteRtFileTest {
    @Test
    fun `tensors are those of the first signature, or of the first graph`() {
        val wanted = mapOf(
            "float32" to ElementType.FLOAT32,
            "int32" to ElementType.INT32,
            "uint8" to ElementType.UINT8,
            "without_signature" to ElementType.INT32,
            // Its first graph takes uint8.
            "second_graph" to ElementType.INT32,
        )
        for ((name, type) in wanted) {
            val file = LiteRtFile.read(golden(name).path)
            assertEquals(type, file.input, name)
            assertEquals(listOf(1, 2, 3) to listOf(1, 2, 3), file.inputShape to file.outputShape, name)
            assertEquals(6 to 6, file.inputSize to file.outputSize, name)
        }
    }

    @Test
    fun `tensors that no tower has are refused`() {
        val refused = mapOf(
            "int64" to "the input of int64.tflite is int64, it must be float32, int32, uint8",
            "int8_output" to "the output of int8_output.tflite is int8, it must be float32",
            "two_inputs" to "has 2 inputs, it must have one",
            "two_outputs" to "has 2 outputs, it must have one",
            "none" to "there is no LiteRT model",
        )
        for ((name, words) in refused) {
            val error = assertThrows(LoadException::class.java) { LiteRtFile.read(golden(name).path) }
            assertTrue(words in error.message!!, error.message)
        }
    }

    @Test
    fun `what is no LiteRT file is refused in words`(@TempDir folder: Path) {
        val other = folder.resolve("other.tflite").toFile()
        for (content in listOf("", "TFL3", "\u0008\u0000\u0000\u0000ORTM and more, as long as it takes")) {
            other.writeText(content, Charsets.ISO_8859_1)
            val error = assertThrows(LoadException::class.java) { LiteRtFile.read(other) }
            assertTrue("other.tflite is" in error.message!!, error.message)
        }
        assertThrows(LoadException::class.java) { LiteRtFile.read(folder.toFile()) }
    }

    @Test
    fun `damage is found or harmless, whatever it is`() {
        val whole = golden("second_graph").path.readBytes()
        val random = Random(0)
        repeat(20_000) { round ->
            val content = whole.copyOf(if (round % 4 == 0) random.nextInt(whole.size) else whole.size)
            repeat(random.nextInt(4)) { if (content.isNotEmpty()) content[random.nextInt(content.size)] = random.nextInt().toByte() }
            parse(ByteBuffer.wrap(content))
        }
        for (place in 0..whole.size - Int.SIZE_BYTES) {
            for (value in listOf(-1, Int.MAX_VALUE, Int.MIN_VALUE)) {
                parse(ByteBuffer.wrap(whole.copyOf()).putInt(place, value))
            }
        }
    }

    /** Either what is read can be used, or it is refused in words. */
    private fun parse(content: ByteBuffer) {
        try {
            val found = LiteRtFile.parse(content, "damaged")
            assertTrue(found.inputSize > 0 && found.outputSize > 0)
        } catch (error: LoadException) {
            assertTrue("damaged" in error.message!!, error.message)
        }
    }
}
