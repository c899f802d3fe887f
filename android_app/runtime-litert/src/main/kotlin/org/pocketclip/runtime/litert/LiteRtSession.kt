package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.LiteRtException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor

/** A compiled model with the buffers of its one input and its one output, which every inference uses again. */
internal class LiteRtSession private constructor(
    private val model: LiteRtModel,
    private val file: LiteRtFile,
    private val input: LiteRtBuffer,
    private val output: LiteRtBuffer,
    override val acceleratorObserved: String?,
) : Session {
    private val write: (Tensor) -> Unit = writer()
    private var open = true

    override fun run(input: Tensor): FloatArray {
        check(open) { "the session is closed" }
        if (input.type != file.input || input.shape != file.inputShape) {
            throw InferenceException(
                "the model takes ${file.input.id} of ${file.inputShape}, the input is ${input.type.id} of ${input.shape}",
            )
        }
        val values = try {
            write(input)
            model.run(listOf(this.input), listOf(output))
            // An accelerator may still be at work: reading waits for it.
            output.readFloats()
        } catch (error: LiteRtException) {
            throw InferenceException("litert failed: ${told(error)}", error)
        } catch (error: RuntimeException) {
            throw InferenceException("litert failed: ${told(error)}", error)
        }
        if (values.size != file.outputSize) {
            throw InferenceException("litert gave ${values.size} values, the model's output is ${file.outputShape}")
        }
        return values
    }

    override fun close() {
        if (!open) return
        open = false
        closeAll(listOf(input, output, model))
    }

    /** Copies a tensor into the input through an array that is made once. */
    private fun writer(): (Tensor) -> Unit {
        val size = file.inputSize
        return when (file.input) {
            ElementType.FLOAT32 -> FloatArray(size).let { values ->
                { tensor ->
                    tensor.bytes().asFloatBuffer().get(values)
                    input.write(values)
                }
            }
            ElementType.INT32 -> IntArray(size).let { values ->
                { tensor ->
                    tensor.bytes().asIntBuffer().get(values)
                    input.write(values)
                }
            }
            ElementType.UINT8, ElementType.UINT16 -> ByteArray(size * file.input.bytes).let { values ->
                { tensor ->
                    tensor.bytes().get(values)
                    input.write(values)
                }
            }
        }
    }

    companion object {
        /**
         * Makes the buffers of a model. The session owns the model; where none comes about, the model is closed.
         *
         * @throws LoadException LiteRT has other tensors than the file says.
         * @throws LiteRtException LiteRT makes no buffers.
         */
        fun open(model: LiteRtModel, file: LiteRtFile, acceleratorObserved: String?): LiteRtSession {
            val made = mutableListOf<AutoCloseable>()
            try {
                val inputs = model.createInputs().also(made::addAll)
                val outputs = model.createOutputs().also(made::addAll)
                if (inputs.size != 1 || outputs.size != 1) {
                    throw LoadException(
                        "litert makes ${inputs.size} inputs and ${outputs.size} outputs of the model, it must have one of each",
                    )
                }
                return LiteRtSession(model, file, inputs.single(), outputs.single(), acceleratorObserved)
            } catch (error: Throwable) {
                try {
                    closeAll(made + model)
                } catch (further: Exception) {
                    error.addSuppressed(further)
                }
                throw error
            }
        }

        /** Closes each, even where another one fails. */
        private fun closeAll(parts: List<AutoCloseable>) {
            var failure: Exception? = null
            for (part in parts) {
                try {
                    part.close()
                } catch (error: Exception) {
                    failure?.addSuppressed(error) ?: run { failure = error }
                }
            }
            failure?.let { throw it }
        }
    }
}
