package org.pocketclip.runtime.onnxruntime

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.worded

/** A loaded ONNX model of one input and a first output of float32. */
internal class OnnxSession(
    private val environment: OrtEnvironment,
    private val session: OrtSession,
    observe: () -> String?,
) : Session {
    private val input: String
    private val output: String
    private val type: ElementType
    private val shape: List<Int>
    private var closed = false

    init {
        input = session.inputNames.singleOrNull()
            ?: throw LoadException("the model has ${session.numInputs} inputs; one is needed: export it again")
        output = session.outputNames.first()
        val takes = session.inputInfo.getValue(input).info as? TensorInfo
        val gives = session.outputInfo.getValue(output).info as? TensorInfo
        type = TYPES[takes?.type] ?: throw LoadException("the model takes ${takes?.type}; float32, int32 or uint8 is needed")
        if (gives?.type != OnnxJavaType.FLOAT) throw LoadException("the model gives ${gives?.type}; float32 is needed")
        shape = checkNotNull(takes).shape.map { it.toInt() }
    }

    override val acceleratorObserved: String? by lazy(LazyThreadSafetyMode.NONE, observe)

    override fun run(input: Tensor): FloatArray {
        if (closed) throw InferenceException("the model is closed")
        if (input.type != type || !fits(input.shape)) {
            throw InferenceException("the model takes ${type.id} of $shape, got ${input.type.id} of ${input.shape}")
        }
        try {
            tensor(input).use { fed ->
                session.run(mapOf(this.input to fed), setOf(output)).use { results ->
                    val buffer = (results[0] as OnnxTensor).floatBuffer
                    return FloatArray(buffer.remaining()).also { buffer.get(it) }
                }
            }
        } catch (error: OrtException) {
            throw InferenceException("onnxruntime failed: ${worded(error)}", error)
        }
    }

    override fun close() {
        if (!closed) session.close()
        closed = true
    }

    // A side of -1 may be any.
    private fun fits(found: List<Int>): Boolean =
        found.size == shape.size && found.zip(shape).all { (side, wanted) -> wanted < 0 || side == wanted }

    /** Direct buffers are not copied. */
    private fun tensor(input: Tensor): OnnxTensor {
        val sides = LongArray(input.shape.size) { input.shape[it].toLong() }
        return when (input.type) {
            ElementType.FLOAT32 -> OnnxTensor.createTensor(environment, input.bytes().asFloatBuffer(), sides)
            ElementType.INT32 -> OnnxTensor.createTensor(environment, input.bytes().asIntBuffer(), sides)
            ElementType.UINT8, ElementType.UINT16 ->
                OnnxTensor.createTensor(environment, input.bytes(), sides, OnnxJavaType.UINT8)
        }
    }

    private companion object {
        val TYPES = mapOf(
            OnnxJavaType.FLOAT to ElementType.FLOAT32,
            OnnxJavaType.INT32 to ElementType.INT32,
            OnnxJavaType.UINT8 to ElementType.UINT8,
        )
    }
}
