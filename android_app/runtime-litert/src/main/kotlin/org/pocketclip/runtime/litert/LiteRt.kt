package org.pocketclip.runtime.litert

import java.io.EOFException
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** LiteRT's interpreter (`org.tensorflow.lite`): built-in kernels, XNNPACK, and the GPU delegate where it is packaged. */
class LiteRt : InferenceRuntime {
    override val name: String get() = NAME

    override var version: String? = null
        private set

    private var prepared = false

    override var accelerators: Set<Accelerator> = setOf(Accelerator.CPU, Accelerator.XNNPACK)
        private set

    override val defaultAccelerator: Accelerator get() = Accelerator.XNNPACK

    override val loadModes: Set<LoadMode> = LoadMode.entries.toSet()

    @Synchronized
    override fun prepare() {
        if (prepared) return
        try {
            TensorFlowLite.init()
            version = "tensorflow-lite ${TensorFlowLite.runtimeVersion()}"
        } catch (error: LinkageError) {
            throw missing(error)
        } catch (error: IllegalStateException) {
            // What TensorFlowLite makes of an UnsatisfiedLinkError.
            throw missing(error)
        }
        if (GpuDelegates.supported()) accelerators = accelerators + Accelerator.GPU
        prepared = true
    }

    override fun load(model: ModelFile, options: LoadOptions): Session {
        prepare()
        val accelerator = options.accelerator ?: defaultAccelerator
        if (accelerator !in accelerators) {
            throw AcceleratorMissingException(
                "litert has no ${accelerator.id} here, it has ${accelerators.joinToString { it.id }}",
            )
        }
        if (!model.path.isFile) throw LoadException("there is no LiteRT model at ${model.path}")
        val delegate = if (accelerator == Accelerator.GPU) GpuDelegates.create() else null
        try {
            val settings = Interpreter.Options().setNumThreads(options.threads)
            settings.setUseXNNPACK(accelerator == Accelerator.XNNPACK)
            // Where a delegate given by hand cannot be applied, the interpreter is not made: nothing falls back silently.
            delegate?.let(settings::addDelegate)
            val bytes = when (options.loadMode) {
                LoadMode.FILE -> null
                LoadMode.MMAP -> mapped(model)
                LoadMode.MEMORY -> read(model)
            }
            val interpreter =
                if (bytes == null) Interpreter(model.path, settings) else Interpreter(bytes, settings)
            return LiteRtSession(interpreter, delegate, observed(accelerator))
        } catch (error: RuntimeException) {
            delegate?.close()
            throw LoadException("litert refuses ${model.path.name}: ${error.message}", error)
        } catch (error: IOException) {
            delegate?.close()
            throw LoadException("${model.path.name} cannot be read: ${error.message}", error)
        }
    }

    private fun mapped(model: ModelFile): ByteBuffer = RandomAccessFile(model.path, "r").use { file ->
        file.channel.map(FileChannel.MapMode.READ_ONLY, 0, file.length())
    }

    private fun read(model: ModelFile): ByteBuffer = RandomAccessFile(model.path, "r").use { file ->
        val bytes = ByteBuffer.allocateDirect(Math.toIntExact(file.length())).order(ByteOrder.nativeOrder())
        while (bytes.hasRemaining()) {
            if (file.channel.read(bytes) < 0) throw EOFException("it became shorter meanwhile")
        }
        bytes.rewind() as ByteBuffer
    }

    private fun missing(error: Throwable) = RuntimeMissingException(
        "LiteRT's library is not in this application, or not for this processor (${error.message}); " +
            "add org.tensorflow:tensorflow-lite and build it for this processor",
        error,
    )

    companion object {
        const val NAME = "litert"

        /**
         * What the library says of what it was asked for: without a delegate it can only use its own kernels; that the GPU
         * delegate was applied is certain, though not to how many of the ops. Whether XNNPACK was, it does not say.
         */
        internal fun observed(asked: Accelerator): String? = when (asked) {
            Accelerator.CPU -> Accelerator.CPU.id
            Accelerator.GPU -> Accelerator.GPU.id
            Accelerator.XNNPACK, Accelerator.NNAPI -> null
        }
    }
}

/** A loaded model of one input; buffers are reused, outputs copied out. */
internal class LiteRtSession(
    private val interpreter: Interpreter,
    private val delegate: Delegate?,
    override val acceleratorObserved: String?,
) : Session {
    private val output: ByteBuffer
    private var open = true

    init {
        val type = interpreter.getOutputTensor(0).dataType()
        if (type != DataType.FLOAT32) {
            interpreter.close()
            delegate?.close()
            throw LoadException("the model's first output is $type, it must be FLOAT32")
        }
        output = ByteBuffer.allocateDirect(interpreter.getOutputTensor(0).numBytes()).order(ByteOrder.nativeOrder())
    }

    override fun run(input: Tensor): FloatArray {
        check(open) { "the session is closed" }
        val expected = interpreter.getInputTensor(0)
        if (!expected.shape().contentEquals(input.shape.toIntArray()) || expected.dataType().name != input.type.name) {
            throw InferenceException(
                "the model takes ${expected.dataType()} ${expected.shape().toList()}, " +
                    "the input is ${input.type.id} ${input.shape}",
            )
        }
        output.clear()
        try {
            interpreter.run(input.bytes(), output)
        } catch (error: RuntimeException) {
            throw InferenceException("litert failed: ${error.message}", error)
        }
        output.rewind()
        return FloatArray(output.capacity() / Float.SIZE_BYTES).also { output.asFloatBuffer().get(it) }
    }

    override fun close() {
        if (!open) return
        open = false
        interpreter.close()
        delegate?.close()
    }
}
