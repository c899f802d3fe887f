package org.pocketclip.bench.cli

import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Session

/**
 * ONNX Runtime on the processor where a phone would have an NPU: for tests of everything around it. What it is given as a
 * prepared graph is a plain ONNX file.
 *
 * @param observed what it says has executed a model, e.g. `npu`, or `cpu` where it falls back silently.
 */
internal class StandInNpu(
    private val plain: InferenceRuntime,
    private val observed: String,
    override val qnnVersion: String?,
) : InferenceRuntime by plain {
    override val version: String? get() = listOfNotNull(plain.version, qnnVersion?.let { "QNN $it" }).joinToString()

    override val accelerators: Set<Accelerator> get() = plain.accelerators + Accelerator.NPU

    override fun load(model: ModelFile, options: LoadOptions): Session {
        if (options.accelerator != Accelerator.NPU) return plain.load(model, options)
        val session = plain.load(model, options.copy(accelerator = Accelerator.CPU))
        return object : Session by session {
            override val acceleratorObserved: String = observed
        }
    }
}
