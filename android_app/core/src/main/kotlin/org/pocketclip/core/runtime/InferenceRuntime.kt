package org.pocketclip.core.runtime

import java.io.File
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** What shall execute a model. Which of them a build and a device have, [InferenceRuntime.accelerators] says. */
@Serializable
enum class Accelerator {
    /** The runtime's own kernels for the processor. */
    @SerialName("cpu")
    CPU,

    /** Google's kernels for the processor. */
    @SerialName("xnnpack")
    XNNPACK,

    /** Android's interface to accelerators. */
    @SerialName("nnapi")
    NNAPI,

    /** The graphics processor. */
    @SerialName("gpu")
    GPU,

    /** The neural processor, by its vendor's libraries. */
    @SerialName("npu")
    NPU,
    ;

    /** As documents write it. */
    val id: String get() = name.lowercase(java.util.Locale.ROOT)
}

/** How the runtime gets the model. */
@Serializable
enum class LoadMode {
    /** The runtime opens the file by its path, and may map it into memory. */
    @SerialName("file")
    FILE,

    /** The file is mapped into memory: its pages are read when they are needed. */
    @SerialName("mmap")
    MMAP,

    /** The whole file is read into memory first. */
    @SerialName("memory")
    MEMORY,
    ;

    /** As documents write it. */
    val id: String get() = name.lowercase(java.util.Locale.ROOT)
}

/**
 * How a model is loaded.
 *
 * @property threads that one inference may use, at least 1.
 * @property accelerator that must execute it; null for what the runtime is meant to be used with, or the model was made for.
 */
data class LoadOptions(
    val threads: Int = 1,
    val loadMode: LoadMode = LoadMode.FILE,
    val accelerator: Accelerator? = null,
) {
    init {
        require(threads >= 1) { "a model needs at least one thread, got $threads" }
    }
}

/**
 * A model file, the inputs and the output that it has. What files lie beside it belong to it.
 *
 * @property path of the file, or of the folder where the format is one.
 */
data class ModelFile(val path: File)

/**
 * A library that executes model files.
 *
 * Implementations load native code in [prepare] and not before, so that an application can list runtimes which a
 * device lacks.
 */
interface InferenceRuntime {
    /** As bundles and jobs name it: `onnxruntime`, `executorch` or `litert`. */
    val name: String

    /** Name and version, e.g. `onnxruntime 1.23.2`; null where the library does not tell. Needs [prepare]. */
    val version: String?

    /** What this build has on this device. Needs [prepare]. */
    val accelerators: Set<Accelerator>

    /** The version of Qualcomm's libraries that it reaches the NPU by; null where there are none, or it is not known. */
    val qnnVersion: String? get() = null

    /** What the runtime is meant to be used with on a phone. */
    val defaultAccelerator: Accelerator

    /** What [LoadOptions.loadMode] may be. */
    val loadModes: Set<LoadMode>

    /**
     * Loads the library's native code; does nothing the second time.
     *
     * @throws org.pocketclip.core.RuntimeMissingException it is not in the application, or not for this processor.
     */
    fun prepare()

    /**
     * Opens a model. Calls [prepare] first.
     *
     * @throws org.pocketclip.core.RuntimeMissingException as [prepare].
     * @throws org.pocketclip.core.AcceleratorMissingException the accelerator is not in [accelerators]; never is another
     * one taken in its place.
     * @throws org.pocketclip.core.LoadException the runtime refuses the model file.
     */
    fun load(model: ModelFile, options: LoadOptions): Session
}

/** A loaded model with one input and an output of float32. Used by one thread at a time. */
interface Session : AutoCloseable {
    /**
     * What the runtime says has executed the model, e.g. `xnnpack`; null where it does not say. What was asked for is in
     * [LoadOptions]: runtimes may leave a part, or all, of a model to their own kernels.
     */
    val acceleratorObserved: String?

    /**
     * One inference of batch 1.
     *
     * @param input of the type and shape that the model has.
     * @return the first output, flattened; the array is the caller's own.
     * @throws org.pocketclip.core.InferenceException the runtime failed, or the input does not fit.
     */
    fun run(input: Tensor): FloatArray

    /** Frees the model; does nothing the second time. */
    override fun close()
}
