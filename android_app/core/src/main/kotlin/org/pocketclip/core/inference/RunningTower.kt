package org.pocketclip.core.inference

import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.ExecutionException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledModel
import org.pocketclip.core.bundle.NpuVariant
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.QnnLibraries
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.selftest.towerChecks

/**
 * A tower that runs on this phone: the first of its variants for the phone's chip that the NPU runs, and runs right, else
 * the tower itself.
 *
 * @property model what of the bundle runs.
 * @property whyNotNpu why no variant does, in words for people; null where one does, or the bundle has none.
 */
class RunningTower private constructor(val model: BundledModel, val session: Session, val whyNotNpu: String?) {
    companion object {
        /**
         * Opens a tower.
         *
         * A variant counts only if its runtime says that the NPU executed it, and if its golden inputs give its golden
         * outputs here. Where an accelerator is asked for, nothing else is tried: [Accelerator.NPU] takes variants alone.
         *
         * @param soc the phone's chip, as [org.pocketclip.core.runtime.Chips.name] gives it; null where it is not known.
         * @throws ExecutionException as [InferenceRuntime.load], or no runtime is the bundle's, or the NPU was asked for and
         * runs no variant.
         * @throws org.pocketclip.core.BundleException golden tensors were altered since the bundle was opened.
         */
        fun open(
            bundle: Bundle,
            tower: Tower,
            runtimes: List<InferenceRuntime>,
            options: LoadOptions,
            soc: String?,
        ): RunningTower {
            val asked = options.accelerator
            val variants = bundle.manifest.variantsOf(tower)
            val plain = bundle.manifest.tower(tower)
            if (variants.isEmpty() || (asked != null && asked != Accelerator.NPU)) {
                return RunningTower(plain, load(bundle, plain, runtimes, options), null)
            }
            val fitting = variants.filter { it.soc == soc }
            val reasons = mutableListOf<String>()
            for (variant in fitting) {
                try {
                    return RunningTower(variant, openVariant(bundle, variant, runtimes, options), null)
                } catch (error: ExecutionException) {
                    reasons += "${variant.runtime} for $soc: ${error.message}"
                }
            }
            val reason = if (fitting.isEmpty()) noVariant(soc, variants) else reasons.joinToString("; ")
            if (asked == Accelerator.NPU) throw AcceleratorMissingException("the NPU runs no variant of the tower: $reason")
            return RunningTower(plain, load(bundle, plain, runtimes, options), reason)
        }

        /** Why a phone with that chip has no variant. */
        internal fun noVariant(soc: String?, variants: List<NpuVariant>): String {
            val there = variants.map { it.soc }.distinct().joinToString()
            return if (soc == null) {
                "this phone does not tell its chip; the bundle has variants for $there"
            } else {
                "no variant for $soc; the bundle has variants for $there"
            }
        }

        /**
         * Loads a variant and proves it.
         *
         * @throws ExecutionException it cannot be loaded, the NPU does not execute all of it, or it gives wrong values.
         */
        private fun openVariant(
            bundle: Bundle,
            variant: NpuVariant,
            runtimes: List<InferenceRuntime>,
            options: LoadOptions,
        ): Session {
            val session = load(bundle, variant, runtimes, options.copy(accelerator = Accelerator.NPU))
            try {
                val observed = session.acceleratorObserved
                if (observed != Accelerator.NPU.id) {
                    throw AcceleratorMissingException(
                        "it was loaded for the NPU, but ${observed ?: "an accelerator that is not told"} executes it",
                    )
                }
                val wrong = towerChecks(bundle, "", variant, session).firstOrNull { !it.passed }
                if (wrong != null) {
                    throw LoadException(
                        "its values are wrong on this phone (${wrong.name} ${wrong.value ?: wrong.note}, wanted ${wrong.bound})",
                    )
                }
                return session
            } catch (error: Throwable) {
                session.close()
                throw error
            }
        }
    }
}

/**
 * Opens a model of a bundle with the runtime that it names.
 *
 * @throws ExecutionException as [InferenceRuntime.load], none of the runtimes is the model's, or Qualcomm's libraries in
 * this application are older than those that prepared it.
 */
internal fun load(
    bundle: Bundle,
    model: BundledModel,
    runtimes: List<InferenceRuntime>,
    options: LoadOptions,
): Session {
    val runtime = runtimes.firstOrNull { it.name == model.runtime } ?: throw RuntimeMissingException(
        "the bundle needs ${model.runtime}, this application has " +
            "${runtimes.joinToString { it.name }.ifEmpty { "no runtime" }}; make the bundle for one of these",
    )
    if (model is NpuVariant) QnnLibraries.refusal(model.sdk, runtime.qnnVersion)?.let { throw LoadException(it) }
    return runtime.load(bundle.modelFile(model), options)
}
