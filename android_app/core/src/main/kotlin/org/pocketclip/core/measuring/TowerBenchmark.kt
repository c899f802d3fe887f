package org.pocketclip.core.measuring

import java.time.OffsetDateTime
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Locale
import java.util.UUID
import kotlin.math.abs
import kotlin.math.sqrt
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.ExecutionException
import org.pocketclip.core.LoadException
import org.pocketclip.core.MachineException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledModel
import org.pocketclip.core.bundle.NpuVariant
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.RunningTower
import org.pocketclip.core.inference.TextEncoder
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.records.ArtifactIdentity
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.GoldenCheck
import org.pocketclip.core.records.NpuPlacement
import org.pocketclip.core.records.Preparation
import org.pocketclip.core.records.PreparationStep
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.RuntimeFacts
import org.pocketclip.core.records.Status
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.QnnLibraries

/**
 * Measures a tower of a bundle in this process and makes the record that the harness would file: one launch, and one more
 * where a sustained run is asked for.
 *
 * @param device this one's facts.
 * @param toolVersion of the application.
 * @param soc the phone's chip, for which bundles may have variants; null where it is not known.
 */
class TowerBenchmark(
    private val bundle: Bundle,
    private val runtimes: List<InferenceRuntime>,
    private val machine: Machine,
    private val device: DeviceFacts,
    private val toolVersion: String,
    private val soc: String? = null,
) {
    /**
     * Measures on the bundle's golden inputs; takes as long as `settings` says.
     *
     * @param progress called with a few words between parts.
     * @param cancelled asked between inferences.
     * @return a failed record, with the reason, where the tower could not be measured or computes something else.
     * @throws org.pocketclip.core.MeasurementCancelledException it was stopped.
     */
    fun run(
        tower: Tower,
        settings: RunSettings,
        progress: (String) -> Unit = {},
        cancelled: () -> Boolean = { false },
    ): BenchmarkRecord {
        val bundled = model(tower, settings)
        val runtime = runtimes.firstOrNull { it.name == bundled.runtime }
        return try {
            if (asksForVariants(tower, settings) && bundled !is NpuVariant) {
                throw AcceleratorMissingException(RunningTower.noVariant(soc, bundle.manifest.variantsOf(tower)))
            }
            if (runtime == null) {
                throw RuntimeMissingException(
                    "the application has no ${bundled.runtime}; it has ${runtimes.joinToString { it.name }}",
                )
            }
            if (bundled is NpuVariant) {
                QnnLibraries.refusal(bundled.sdk, runtime.qnnVersion)?.let { throw LoadException(it) }
            }
            val measurement = Measurement(runtime, machine, progress = progress, cancelled = cancelled)
            val measured = measurement.run(plan(bundled, settings, sustainedSeconds = null))
            val record = record(tower, bundled, settings, measured, golden(bundled, measured))
            val seconds = settings.sustainedSeconds
            if (seconds == null || record.status != Status.MEASURED) return record
            record.copy(sustained = measurement.run(plan(bundled, settings, seconds)).launch)
        } catch (error: ExecutionException) {
            failed(tower, bundled, settings, runtime, error)
        } catch (error: MachineException) {
            failed(tower, bundled, settings, runtime, error)
        }
    }

    private fun asksForVariants(tower: Tower, settings: RunSettings): Boolean =
        settings.accelerator == Accelerator.NPU.id && bundle.manifest.variantsOf(tower).isNotEmpty()

    /** The first variant for the phone's chip whose runtime has an NPU here, where the NPU is asked for; else the tower. */
    private fun model(tower: Tower, settings: RunSettings): BundledModel {
        val plain = bundle.manifest.tower(tower)
        if (!asksForVariants(tower, settings)) return plain
        val fitting = bundle.manifest.variantsOf(tower).filter { it.soc == soc }
        return fitting.firstOrNull { each -> runtimes.any { it.name == each.runtime && offersNpu(it) } }
            ?: fitting.firstOrNull() ?: plain
    }

    private fun offersNpu(runtime: InferenceRuntime): Boolean = try {
        runtime.prepare()
        Accelerator.NPU in runtime.accelerators
    } catch (_: ExecutionException) {
        false
    }

    private fun plan(tower: BundledModel, settings: RunSettings, sustainedSeconds: Double?): MeasuringPlan {
        val accelerator = Accelerator.entries.firstOrNull { it.id == settings.accelerator }
        requireNotNull(accelerator) { "no accelerator is called ${settings.accelerator}" }
        return MeasuringPlan(
            model = bundle.modelFile(tower),
            inputs = bundle.samples(tower.golden.inputs),
            options = LoadOptions(settings.threads, settings.loadMode, accelerator),
            warmup = settings.warmup,
            iterations = settings.iterations,
            minimumSeconds = settings.minimumSeconds,
            sustainedSeconds = sustainedSeconds,
            cores = settings.cores,
        )
    }

    private fun record(
        tower: Tower,
        bundled: BundledModel,
        settings: RunSettings,
        measured: Measured,
        golden: GoldenCheck,
    ): BenchmarkRecord {
        val fellBack = Fallbacks.reason(settings.accelerator, measured.acceleratorObserved)
        val wrong = if (fellBack != null) {
            "${FailureCode.ACCELERATOR_FALLBACK.id}: $fellBack"
        } else if (golden.exportedCosineMin < SAME_OUTPUTS_COSINE) {
            "golden-mismatch: outputs differ from those at export (cosine " +
                "${"%.4f".format(Locale.ROOT, golden.exportedCosineMin)}, at least $SAME_OUTPUTS_COSINE wanted): this device or runtime version computes something else"
        } else {
            null
        }
        return empty(tower, bundled, settings, measured.runtimeVersion, measured.acceleratorObserved, wrong).copy(
            launches = if (wrong == null) listOf(measured.launch) else emptyList(),
            goldenCheck = golden,
            preparation = preparation(tower, bundled),
            invalid = Validity(device.logicalCores).judge(measured.launch)
                .map { it.copy(reason = "${it.reason} (in 1 of 1 launches)") },
            status = if (wrong == null) Status.MEASURED else Status.FAILED,
            reason = wrong,
        )
    }

    private fun failed(
        tower: Tower,
        bundled: BundledModel,
        settings: RunSettings,
        runtime: InferenceRuntime?,
        error: Exception,
    ): BenchmarkRecord {
        val version = if (error is RuntimeMissingException) null else runtime?.version
        return empty(tower, bundled, settings, version, null, error.message ?: error.javaClass.simpleName)
    }

    /** A record of nothing measured yet. */
    private fun empty(
        tower: Tower,
        bundled: BundledModel,
        settings: RunSettings,
        version: String?,
        observed: String?,
        reason: String?,
    ): BenchmarkRecord = BenchmarkRecord(
        artifact = ArtifactIdentity(
            model = bundle.manifest.model.name,
            tower = tower,
            target = bundled.target,
            precision = bundled.precision,
            sha256 = bundled.artifactSha256,
            weightsSha256 = bundle.manifest.model.weightsSha256,
            modelSizeBytes = bundle.modelSizeBytes(bundled),
            scheme = bundled.scheme.ifEmpty { "${bundled.target}-${bundled.precision}" },
            trained = if (bundle.manifest.untrained) false else null,
        ),
        device = device,
        runtime = RuntimeFacts(bundled.runtime, version, settings.accelerator, observed),
        settings = settings.copy(launches = 1),
        status = Status.FAILED,
        reason = reason ?: "nothing was measured yet",
        launches = emptyList(),
        parity = null,
        goldenCheck = null,
        agentSha256 = null,
        npu = (bundled as? NpuVariant)?.let {
            NpuPlacement(it.soc, it.sdk, it.graphs, ops = null, it.onCpu, bundle.modelSizeBytes(it))
        },
        toolVersion = toolVersion,
        recordId = UUID.randomUUID().toString(),
        createdAt = OffsetDateTime.now(ZoneOffset.UTC).format(MOMENT),
    )

    private fun golden(tower: BundledModel, measured: Measured): GoldenCheck {
        val reference = bundle.rows(tower.golden.reference)
        val exported = bundle.rows(tower.golden.outputs)
        return GoldenCheck(
            samples = measured.outputs.size,
            cosineMin = measured.outputs.indices.minOf { cosine(measured.outputs[it], reference[it]) },
            maxAbs = measured.outputs.indices.maxOf { row ->
                val (found, wanted) = measured.outputs[row] to reference[row]
                found.indices.maxOf { abs(found[it].toDouble() - wanted[it]) }
            },
            exportedCosineMin = measured.outputs.indices.minOf { cosine(measured.outputs[it], exported[it]) },
        )
    }

    /** 0 where one has no length, so that a dead output never passes. */
    private fun cosine(first: FloatArray, second: FloatArray): Double {
        var product = 0.0
        var (left, right) = 0.0 to 0.0
        for (place in first.indices) {
            product += first[place].toDouble() * second[place]
            left += first[place].toDouble() * first[place]
            right += second[place].toDouble() * second[place]
        }
        val lengths = sqrt(left) * sqrt(right)
        return if (lengths > 0) product / lengths else 0.0
    }

    private fun preparation(tower: Tower, bundled: BundledModel): Preparation {
        val end = bundle.manifest.endToEnd
        val prepare: (Int) -> Unit
        if (tower == Tower.IMAGE) {
            val input = ImageInput(bundle.manifest.preprocess, bundled.input)
            val images = end.images.map { image ->
                val pixels = bundle.tensor(image.pixels)
                RgbImage(image.pixels.shape[1], image.pixels.shape[0], ByteArray(pixels.size).also { pixels.bytes().get(it) })
            }
            prepare = { input.of(images[it % images.size]) }
        } else {
            val tokenizer = TextEncoder.tokenizer(bundle)
            prepare = { tokenizer.input(end.sentences[it % end.sentences.size]) }
        }
        // The first ones find the code not yet compiled.
        repeat(PREPARATIONS, prepare)
        val samples = List(PREPARATIONS) {
            val started = System.nanoTime()
            prepare(it)
            System.nanoTime() - started
        }
        val step = if (tower == Tower.IMAGE) PreparationStep.PREPROCESS else PreparationStep.TOKENIZE
        return Preparation(step, "PocketCLIP for Kotlin $toolVersion", samples)
    }

    private companion object {
        const val SAME_OUTPUTS_COSINE = 0.99
        const val PREPARATIONS = 20
        val MOMENT: DateTimeFormatter = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSSxxx", Locale.ROOT)
    }
}
