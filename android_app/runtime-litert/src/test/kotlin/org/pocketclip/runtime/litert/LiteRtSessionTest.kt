package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.Status
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.Tensor

class LiteRtSessionTest {
    private val sides = listOf(1, 2, 3)

    private fun session(model: FakeModel, file: String = "float32") =
        LiteRtSession.open(model, LiteRtFile.read(golden(file).path), null)

    @Test
    fun `inputs of every type go in whole`() {
        val inputs = mapOf(
            "float32" to Tensor.of(FloatArray(6) { 250f + it }, sides),
            "int32" to Tensor.of(IntArray(6) { 250 + it }, sides),
            // Bytes above 127 are not negative.
            "uint8" to Tensor.of(ByteArray(6) { (250 + it).toByte() }, sides),
        )
        for ((file, input) in inputs) {
            val output = session(FakeModel(), file).use { it.run(input) }
            assertArrayEquals(FloatArray(6) { 250f + it }, output, file)
        }
    }

    @Test
    fun `the array of the input is used again, the output is the caller's own`() {
        val model = FakeModel()
        val session = session(model)
        val first = session.run(Tensor.of(FloatArray(6) { 1f }, sides))
        session.run(Tensor.of(FloatArray(6) { 2f }, sides))
        assertSame(model.written[0], model.written[1])
        assertArrayEquals(FloatArray(6) { 1f }, first)
    }

    @Test
    fun `inputs that do not fit are refused before LiteRT sees them`() {
        val model = FakeModel()
        val session = session(model)
        for (wrong in listOf(Tensor.of(FloatArray(6), listOf(1, 3, 2)), Tensor.of(FloatArray(3), listOf(1, 3)), Tensor.of(IntArray(6), sides))) {
            val error = assertThrows(InferenceException::class.java) { session.run(wrong) }
            assertTrue("the model takes float32 of [1, 2, 3], the input is ${wrong.type.id} of ${wrong.shape}" in error.message!!, error.message)
        }
        assertTrue(model.written.isEmpty())
    }

    @Test
    fun `a failure in LiteRT and an output of another length are errors in words`() {
        val input = Tensor.of(FloatArray(6), sides)
        for (fault in listOf(LiteRtException(Status.ErrorRuntimeFailure, "it broke"), IllegalStateException("it broke"))) {
            val error = assertThrows(InferenceException::class.java) { session(FakeModel(onRun = { throw fault })).run(input) }
            assertEquals("litert failed: it broke", error.message)
            assertSame(fault, error.cause)
        }
        val error = assertThrows(InferenceException::class.java) { session(FakeModel(values = 5)).run(input) }
        assertTrue("gave 5 values" in error.message!! && "[1, 2, 3]" in error.message!!, error.message)
    }

    @Test
    fun `closing closes buffers first, then the model, once`() {
        val model = FakeModel()
        val session = session(model)
        repeat(2) { session.close() }
        assertEquals(listOf("input 0", "output 0", "model"), model.closed)
        assertThrows(IllegalStateException::class.java) { session.run(Tensor.of(FloatArray(6), sides)) }
    }

    @Test
    fun `what fails to close does not keep the rest open`() {
        val model = FakeModel(onClose = { if (it != "model") throw IllegalStateException(it) })
        val error = assertThrows(IllegalStateException::class.java) { session(model).close() }
        assertEquals("input 0", error.message)
        assertEquals(listOf("output 0"), error.suppressed.map { it.message })
        assertEquals(listOf("input 0", "output 0", "model"), model.closed)
    }

    @Test
    fun `a model whose buffers do not come about is closed with what there is`() {
        val fault = LiteRtException(Status.ErrorInvalidArgument, "no memory")
        val model = FakeModel(onOutputs = { throw fault }, onClose = { if (it == "model") throw IllegalStateException(it) })
        assertSame(fault, assertThrows(LiteRtException::class.java) { session(model) })
        assertEquals(listOf("input 0", "model"), model.closed)
        assertEquals(listOf("model"), fault.suppressed.map { it.message })
    }

    @Test
    fun `a model of other tensors than its file says is closed`() {
        for (model in listOf(FakeModel(inputs = 2), FakeModel(outputs = 0))) {
            val error = assertThrows(LoadException::class.java) { session(model) }
            assertTrue("it must have one of each" in error.message!!, error.message)
            assertEquals("model", model.closed.last())
        }
    }
}
