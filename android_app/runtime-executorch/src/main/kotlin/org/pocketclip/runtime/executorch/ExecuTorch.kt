package org.pocketclip.runtime.executorch

import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.QnnLibraries
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.pytorch.executorch.EValue
import org.pytorch.executorch.ExecuTorchRuntime
import org.pytorch.executorch.Module

/**
 * ExecuTorch with the kernels and the delegates of its Android library: XNNPACK for the processor, Vulkan for the GPU,
 * Qualcomm's for its NPU.
 *
 * What executes a program is written in the program: one lowered for XNNPACK, Vulkan or the NPU runs there, and one without a
 * delegate runs on portable kernels. So [load] compares what was asked for with what the program has, and refuses the
 * rest.
 *
 * @param qnn Qualcomm's libraries; without, there is no `npu`.
 */
class ExecuTorch(private val qnn: QnnLibraries? = null) : InferenceRuntime {
    override val name: String get() = NAME

    /** The library does not tell its version: it is that which is packaged. */
    override val version: String
        get() = listOfNotNull("$NAME $PACKAGED_VERSION", qnnVersion?.let { "QNN $it" }).joinToString()

    override val qnnVersion: String? get() = if (Accelerator.NPU in accelerators) qnn?.version else null

    private var backends: Set<String> = emptySet()
    private var prepared = false

    override val accelerators: Set<Accelerator>
        get() = buildSet {
            add(Accelerator.CPU)
            DELEGATES.forEach { (backend, accelerator) -> if (backend in backends) add(accelerator) }
            // The delegate is of no use without Qualcomm's libraries.
            if (qnn == null) remove(Accelerator.NPU)
        }

    override val defaultAccelerator: Accelerator get() = Accelerator.XNNPACK

    /** The library has no way to be given bytes: [LoadMode.MEMORY] and [LoadMode.FILE] both read the file whole. */
    override val loadModes: Set<LoadMode> = LoadMode.entries.toSet()

    @Synchronized
    override fun prepare() {
        if (prepared) return
        backends = linked {
            ExecuTorchRuntime.getRuntime()
            ExecuTorchRuntime.getRegisteredBackends().toSet()
        }
        prepared = true
    }

    override fun load(model: ModelFile, options: LoadOptions): Session {
        prepare()
        val asked = options.accelerator
        if (asked != null && asked !in accelerators) {
            throw AcceleratorMissingException(
                "executorch has no ${asked.id} here, it has ${accelerators.joinToString { it.id }}",
            )
        }
        if (!model.path.isFile) throw LoadException("there is no ExecuTorch program at ${model.path}")
        val mode = if (options.loadMode == LoadMode.MMAP) Module.LOAD_MODE_MMAP else Module.LOAD_MODE_FILE
        val module = refused("executorch refuses ${model.path.name}") {
            linked { Module.load(model.path.path, mode, options.threads) }
        }
        try {
            // Up to 1.1 this returns a code that later versions throw: there, a bad method fails in the first inference.
            refused("executorch cannot prepare the method $METHOD of ${model.path.name}") { module.loadMethod(METHOD) }
            val used = refused("executorch does not tell what ${model.path.name} uses") {
                module.getMethodMetadata(METHOD).backends.toList()
            }
            val observed = observed(used)
            if (asked != null && asked.id != observed) {
                throw AcceleratorMissingException(
                    "${asked.id} was asked for, but ${model.path.name} is lowered for $observed " +
                        "(its delegates: ${used.joinToString().ifEmpty { "none" }}); ask for that, or export it anew",
                )
            }
            return ExecuTorchSession(module, observed)
        } catch (error: Throwable) {
            module.destroy()
            throw error
        }
    }

    companion object {
        const val NAME = "executorch"

        /** Version of `org.pytorch:executorch-android-vulkan` in gradle/libs.versions.toml. */
        const val PACKAGED_VERSION = "1.5.1"

        internal const val METHOD = "forward"

        private val DELEGATES = mapOf(
            "XnnpackBackend" to Accelerator.XNNPACK,
            "VulkanBackend" to Accelerator.GPU,
            "QnnBackend" to Accelerator.NPU,
        )

        /** What a method's delegates amount to: `xnnpack`, `gpu`, `npu`, `cpu` where it has none, else names joined by `+`. */
        internal fun observed(delegates: List<String>): String {
            val distinct = delegates.distinct()
            return when (distinct.size) {
                0 -> Accelerator.CPU.id
                1 -> DELEGATES[distinct.single()]?.id ?: distinct.single()
                else -> distinct.joinToString("+")
            }
        }
    }
}

/** A loaded program; its first output is copied out, since the library's tensors alias memory that it reuses. */
internal class ExecuTorchSession(private var module: Module?, override val acceleratorObserved: String) : Session {
    override fun run(input: Tensor): FloatArray {
        val open = checkNotNull(module) { "the session is closed" }
        val shape = LongArray(input.shape.size) { input.shape[it].toLong() }
        val bytes = input.bytes()
        return try {
            val tensor = when (input.type) {
                ElementType.FLOAT32 -> org.pytorch.executorch.Tensor.fromBlob(bytes.asFloatBuffer(), shape)
                ElementType.INT32 -> org.pytorch.executorch.Tensor.fromBlob(bytes.asIntBuffer(), shape)
                ElementType.UINT8 -> org.pytorch.executorch.Tensor.fromBlobUnsigned(bytes, shape)
                ElementType.UINT16 -> throw InferenceException("a model has no input of uint16")
            }
            val outputs = open.forward(EValue.from(tensor))
            val first = outputs.firstOrNull() ?: throw InferenceException("the program gave no output")
            if (!first.isTensor) throw InferenceException("the program's first output is no tensor")
            first.toTensor().dataAsFloatArray.copyOf()
        } catch (error: RuntimeException) {
            throw InferenceException("executorch failed on an input of ${input.type.id} ${input.shape}: ${error.message}", error)
        }
    }

    override fun close() {
        module?.destroy()
        module = null
    }
}

/** Runs what needs the native library; its absence is an error of ours. */
private inline fun <T> linked(call: () -> T): T = try {
    call()
} catch (error: LinkageError) {
    // UnsatisfiedLinkError: no .so for this processor; NoClassDefFoundError: the AAR is not packaged.
    throw RuntimeMissingException(
        "ExecuTorch's library is not in this application, or not for this processor (${error.message}); " +
            "add org.pytorch:executorch-android-vulkan:${ExecuTorch.PACKAGED_VERSION} and build it for this processor",
        error,
    )
}

private inline fun <T> refused(what: String, call: () -> T): T = try {
    call()
} catch (error: RuntimeException) {
    throw LoadException("$what: ${error.message}", error)
}
