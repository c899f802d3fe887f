package org.pocketclip.runtime.onnxruntime

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtProvider
import ai.onnxruntime.OrtSession
import ai.onnxruntime.providers.NNAPIFlags
import java.io.File
import java.io.IOException
import java.util.EnumSet
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.QnnLibraries
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.worded

/**
 * ONNX Runtime with its own kernels, XNNPACK's, NNAPI and Qualcomm's NPU: what of these the library was built with.
 *
 * @param qnn Qualcomm's libraries; without, there is no `npu`.
 */
class OnnxRuntime(private val qnn: QnnLibraries? = null) : InferenceRuntime {
    override val name: String = "onnxruntime"

    override val version: String?
        get() = listOfNotNull("$name ${environment().version}", qnnVersion?.let { "QNN $it" }).joinToString()

    override val qnnVersion: String? get() = if (Accelerator.NPU in accelerators) qnn?.version else null

    override val accelerators: Set<Accelerator>
        get() {
            environment()
            val built = OrtEnvironment.getAvailableProviders()
            return PROVIDERS.filterValues { it in built }.keys.filterTo(mutableSetOf()) { it != Accelerator.NPU || qnn != null }
        }

    override val defaultAccelerator: Accelerator get() = Accelerator.CPU

    override val loadModes: Set<LoadMode> = setOf(LoadMode.FILE, LoadMode.MEMORY)

    override fun prepare() {
        environment()
    }

    override fun load(model: ModelFile, options: LoadOptions): Session {
        val environment = environment()
        val accelerator = options.accelerator ?: defaultAccelerator
        check(accelerator, options.loadMode)
        val session = try {
            sessionOptions(accelerator, options.threads).use { open(environment, model.path, options.loadMode, it) }
        } catch (error: OrtException) {
            throw LoadException("onnxruntime cannot load the model: ${worded(error)}", error)
        } catch (error: IOException) {
            throw LoadException("onnxruntime cannot load the model: ${worded(error)}", error)
        }
        return try {
            OnnxSession(environment, session) {
                observed(environment, model.path, accelerator, options.threads)
            }
        } catch (error: OrtException) {
            session.close()
            throw LoadException("onnxruntime cannot tell what the model takes: ${worded(error)}", error)
        } catch (error: LoadException) {
            session.close()
            throw error
        }
    }

    private fun check(accelerator: Accelerator, loadMode: LoadMode) {
        val built = accelerators
        if (accelerator !in built) {
            throw AcceleratorMissingException(
                "this build of onnxruntime has no ${accelerator.id}; it has ${built.joinToString { it.id }}",
            )
        }
        if (loadMode !in loadModes) {
            throw LoadException(
                "onnxruntime cannot load by ${loadMode.id}; choose from ${loadModes.joinToString { it.id }}",
            )
        }
    }

    private fun open(
        environment: OrtEnvironment,
        path: File,
        loadMode: LoadMode,
        prepared: OrtSession.SessionOptions,
    ): OrtSession = when (loadMode) {
        LoadMode.MEMORY -> environment.createSession(path.readBytes(), prepared)
        else -> environment.createSession(path.path, prepared)
    }

    private fun sessionOptions(accelerator: Accelerator, threads: Int): OrtSession.SessionOptions {
        val made = OrtSession.SessionOptions()
        try {
            made.setInterOpNumThreads(1)
            made.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR)
            made.setIntraOpNumThreads(threads)
            when (accelerator) {
                Accelerator.XNNPACK -> {
                    // XNNPACK has threads of its own: the runtime's would only take turns with them.
                    made.setIntraOpNumThreads(1)
                    made.addConfigEntry("session.intra_op.allow_spinning", "0")
                    made.addXnnpack(mapOf("intra_op_num_threads" to threads.toString()))
                }
                // Without the flag NNAPI may take its own reference code for the processor, unasked.
                Accelerator.NNAPI -> made.addNnapi(EnumSet.of(NNAPIFlags.CPU_DISABLED))
                Accelerator.NPU -> {
                    // Without it, ops that the NPU does not take run on the processor, unasked.
                    made.addConfigEntry("session.disable_cpu_ep_fallback", "1")
                    made.addQnn(mapOf("backend_path" to checkNotNull(qnn).backend.path, "htp_performance_mode" to "burst"))
                }
                Accelerator.CPU, Accelerator.GPU -> Unit
            }
            return made
        } catch (error: OrtException) {
            made.close()
            if (accelerator == Accelerator.CPU) throw error
            throw AcceleratorMissingException("onnxruntime cannot use ${accelerator.id}: ${worded(error)}", error)
        }
    }

    private fun observed(environment: OrtEnvironment, path: File, accelerator: Accelerator, threads: Int): String? =
        // No other provider is registered then.
        if (accelerator == Accelerator.CPU) {
            Accelerator.CPU.id
        } else {
            sessionOptions(accelerator, threads).use { ProviderProbe(environment).observed(path, it) }?.let(::named)
        }

    // A provider that ran all of it; several stay as they are.
    private fun named(providers: String): String = if (providers == QNN) Accelerator.NPU.id else providers

    private fun environment(): OrtEnvironment = try {
        OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "pocketclip")
    } catch (error: LinkageError) {
        throw RuntimeMissingException(
            "onnxruntime's native library is not in this application, or not for this processor: ${worded(error)}",
            error,
        )
    } catch (error: IllegalStateException) {
        // The environment exists already, made by other code with a level of its own.
        OrtEnvironment.getEnvironment()
    }

    private companion object {
        val PROVIDERS = mapOf(
            Accelerator.CPU to OrtProvider.CPU,
            Accelerator.XNNPACK to OrtProvider.XNNPACK,
            Accelerator.NNAPI to OrtProvider.NNAPI,
            Accelerator.NPU to OrtProvider.QNN,
        )
        const val QNN = "qnn"
    }
}
