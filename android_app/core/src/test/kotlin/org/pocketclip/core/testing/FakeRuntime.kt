package org.pocketclip.core.testing

import java.io.File
import kotlin.math.sin
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor

/**
 * A runtime whose model is a formula, so that core is tested without native code.
 *
 * @param missing it cannot be loaded.
 * @param alter changes what the formula gives; gets the number of the inference.
 * @param beforeRun called before each inference.
 * @param observed what a session says has executed the model, by what was asked for.
 */
class FakeRuntime(
    override val name: String = "onnxruntime",
    private val missing: Boolean = false,
    private val alter: (FloatArray, Int) -> FloatArray = { values, _ -> values },
    private val beforeRun: (Int) -> Unit = {},
    override val accelerators: Set<Accelerator> = setOf(Accelerator.CPU, Accelerator.XNNPACK),
    override val qnnVersion: String? = null,
    private val observed: (Accelerator) -> String? = { "fake" },
) : InferenceRuntime {
    var loads = 0
        private set
    var open = 0
        private set
    var inferences = 0
        private set
    var lastOptions: LoadOptions? = null
        private set

    override val version: String get() = "$name 9.9"
    override val defaultAccelerator: Accelerator = Accelerator.CPU
    override val loadModes: Set<LoadMode> = setOf(LoadMode.FILE)

    override fun prepare() {
        if (missing) throw RuntimeMissingException("$name is not in this application")
    }

    override fun load(model: ModelFile, options: LoadOptions): Session {
        prepare()
        val accelerator = options.accelerator ?: defaultAccelerator
        if (accelerator !in accelerators) throw AcceleratorMissingException("no ${accelerator.id} here")
        val content = if (model.path.isFile) model.path.readText() else throw LoadException("there is no ${model.path}")
        if (!content.startsWith(CONTENT)) throw LoadException("${model.path.name} is no model")
        loads++
        open++
        lastOptions = options
        return FakeSession(accelerator)
    }

    private inner class FakeSession(private val asked: Accelerator) : Session {
        override val acceleratorObserved: String? = observed(asked)

        override fun run(input: Tensor): FloatArray {
            beforeRun(inferences)
            // The NPU's values alone are altered where both run.
            val altered = asked == Accelerator.NPU || Accelerator.NPU !in accelerators
            return if (altered) alter(formula(input), inferences++) else formula(input).also { inferences++ }
        }

        override fun close() {
            open--
        }
    }

    companion object {
        /** One with an NPU that works, or does what [alter] and [observed] say. */
        fun withNpu(
            name: String = "onnxruntime",
            qnnVersion: String? = "v2.49.40.1",
            observed: (Accelerator) -> String? = { it.id },
            alter: (FloatArray, Int) -> FloatArray = { values, _ -> values },
        ) = FakeRuntime(
            name, alter = alter, accelerators = setOf(Accelerator.CPU, Accelerator.NPU), qnnVersion = qnnVersion, observed = observed,
        )

        const val DIMENSION = 8
        const val CONTENT = "a model"

        fun writeModel(file: File) {
            file.parentFile.mkdirs()
            file.writeText(CONTENT)
        }

        /** Depends on every value of the input and on its place; not of length 1. */
        fun formula(input: Tensor): FloatArray {
            val values = when (input.type) {
                ElementType.FLOAT32 -> input.floats()
                else -> Bundle.integers(input).let { whole -> FloatArray(whole.size) { whole[it] / 100f } }
            }
            return FloatArray(DIMENSION) { row ->
                var sum = 0.0
                for (place in values.indices) sum += values[place] * sin(place * 0.37 * (row + 1) + row)
                sum.toFloat()
            }
        }

        /** What a session throws where it fails. */
        fun failing(at: Int): (Int) -> Unit = { if (it == at) throw InferenceException("it broke") }
    }
}
