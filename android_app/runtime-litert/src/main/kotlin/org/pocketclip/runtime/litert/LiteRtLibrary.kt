package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.TensorBuffer
import java.io.File

/**
 * What this module needs of LiteRT. LiteRT's own classes are final and load native code, so tests have a library of their
 * own. All that is below it throws [com.google.ai.edge.litert.LiteRtException].
 */
internal interface LiteRtLibrary {
    /**
     * Loads the native code and makes an environment.
     *
     * @param npuLibraries folder of the vendor's libraries; null where there are none.
     * @throws LinkageError the library is not in the application, or not for this processor.
     */
    fun open(npuLibraries: File?): LiteRtEnvironment
}

/** Where models are compiled; one is enough for all of an application. */
internal interface LiteRtEnvironment : AutoCloseable {
    /** What LiteRT has registered here. */
    val accelerators: Set<LiteRtAccelerator>

    /** Compiles a model for [accelerators]; [threads] are those of the processor. */
    fun compile(path: String, accelerators: Set<LiteRtAccelerator>, threads: Int): LiteRtModel
}

/** A model's first signature, compiled. Buffers are the caller's, to be closed before the model. */
internal interface LiteRtModel : AutoCloseable {
    fun createInputs(): List<LiteRtBuffer>

    fun createOutputs(): List<LiteRtBuffer>

    /** One inference; on an accelerator it may go on until an output is read. */
    fun run(inputs: List<LiteRtBuffer>, outputs: List<LiteRtBuffer>)
}

/** Memory of an input or an output, wherever the accelerator wants it. */
internal interface LiteRtBuffer : AutoCloseable {
    fun write(values: FloatArray)

    fun write(values: IntArray)

    /** The bytes as they are, of a signed or an unsigned type. */
    fun write(values: ByteArray)

    /** All values, in an array of the caller's own. */
    fun readFloats(): FloatArray
}

/** LiteRT as the application packages it. */
internal object PackagedLibrary : LiteRtLibrary {
    override fun open(npuLibraries: File?): LiteRtEnvironment {
        val folders = npuLibraries?.path?.let {
            mapOf(Environment.Option.DispatchLibraryDir to it, Environment.Option.CompilerPluginLibraryDir to it)
        }
        return PackagedEnvironment(Environment.create(folders.orEmpty()))
    }
}

private class PackagedEnvironment(private val environment: Environment) : LiteRtEnvironment {
    override val accelerators: Set<LiteRtAccelerator> get() = environment.getAvailableAccelerators()

    override fun compile(path: String, accelerators: Set<LiteRtAccelerator>, threads: Int): LiteRtModel {
        val options = CompiledModel.Options(*accelerators.toTypedArray())
        if (LiteRtAccelerator.CPU in accelerators) options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        return PackagedModel(CompiledModel.create(path, options, environment))
    }

    override fun close() = environment.close()
}

private class PackagedModel(private val model: CompiledModel) : LiteRtModel {
    override fun createInputs(): List<LiteRtBuffer> = model.createInputBuffers().map(::PackagedBuffer)

    override fun createOutputs(): List<LiteRtBuffer> = model.createOutputBuffers().map(::PackagedBuffer)

    override fun run(inputs: List<LiteRtBuffer>, outputs: List<LiteRtBuffer>) =
        model.run(inputs.map { (it as PackagedBuffer).buffer }, outputs.map { (it as PackagedBuffer).buffer })

    override fun close() = model.close()
}

private class PackagedBuffer(val buffer: TensorBuffer) : LiteRtBuffer {
    override fun write(values: FloatArray) = buffer.writeFloat(values)

    override fun write(values: IntArray) = buffer.writeInt(values)

    override fun write(values: ByteArray) = buffer.writeInt8(values)

    override fun readFloats(): FloatArray = buffer.readFloat()

    override fun close() = buffer.close()
}

/** What LiteRT says of a failure, on one line, without the places in its sources that it names first. */
internal fun told(error: Exception): String = error.message.orEmpty().lineSequence()
    .map { it.trim(' ', '\u2514') }
    .filterNot { it.isEmpty() || PLACE.matches(it) }
    .joinToString(" ")
    .ifEmpty { error.javaClass.simpleName }

private val PLACE = Regex("ERROR: \\[[^]]*]")
