package org.pocketclip.runtime.onnxruntime

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.util.Locale
import org.pocketclip.core.ExecutionException
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Tensor

/**
 * Finds out which execution providers ran a model's nodes: the runtime says so in its profile alone, and falls back to its
 * own kernels silently. The model is opened once more and run once, so this is for after a measurement.
 */
internal class ProviderProbe(private val environment: OrtEnvironment) {
    /**
     * The providers, those with the most nodes first, e.g. `xnnpack+cpu`; null where the profile does not say.
     *
     * @param options with the providers registered; profiling is switched on in them.
     */
    fun observed(model: File, options: OrtSession.SessionOptions): String? {
        val folder = try {
            Files.createTempDirectory("pocketclip-profile").toFile()
        } catch (ignored: IOException) {
            return null
        }
        try {
            options.enableProfiling(File(folder, "profile").path)
            val profile = environment.createSession(model.path, options).use { session ->
                OnnxSession(environment, session) { null }.run(zeros(session))
                session.endProfiling()
            }
            return providers(File(profile).readText())
        } catch (ignored: OrtException) {
            return null
        } catch (ignored: ExecutionException) {
            return null
        } catch (ignored: IOException) {
            return null
        } finally {
            folder.deleteRecursively()
        }
    }

    private fun zeros(session: OrtSession): Tensor {
        val info = session.inputInfo.values.single().info as TensorInfo
        val type = when (info.type) {
            ai.onnxruntime.OnnxJavaType.FLOAT -> ElementType.FLOAT32
            ai.onnxruntime.OnnxJavaType.INT32 -> ElementType.INT32
            else -> ElementType.UINT8
        }
        return Tensor.allocate(type, info.shape.map { maxOf(1, it.toInt()) })
    }

    companion object {
        private val PROVIDER = Regex("\"provider\"\\s*:\\s*\"([A-Za-z]+)ExecutionProvider\"")

        /** The providers that a profile names. */
        fun providers(profile: String): String? =
            PROVIDER.findAll(profile).map { it.groupValues[1].lowercase(Locale.ROOT) }
                .groupingBy { it }.eachCount().entries.sortedByDescending { it.value }
                .joinToString("+") { it.key }.ifEmpty { null }
    }
}
