package org.pocketclip.core.bench

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.machine.SystemServices
import org.pocketclip.core.measuring.Clocks
import org.pocketclip.core.measuring.Measured
import org.pocketclip.core.measuring.Measurement
import org.pocketclip.core.measuring.MeasuringPlan
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.InputFile
import org.pocketclip.core.records.JOB_VERSION
import org.pocketclip.core.records.Job
import org.pocketclip.core.records.OutputFile
import org.pocketclip.core.records.RESULT_VERSION
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Tensor

/** Carries out a job: everything in it is checked before the model is touched. */
internal class MeasureAction(
    private val external: Folder,
    private val internal: Folder,
    private val store: ModelStore,
    private val runtimes: List<InferenceRuntime>,
    private val machine: Machine,
    private val services: SystemServices,
    private val application: Application,
    private val debuggableAllowed: Boolean,
    private val progress: (String) -> Unit,
) {
    /** The result, a failure's too; throws only what is a mistake in this program. */
    fun run(request: Request): AgentResult {
        var jobId: String? = null
        val result = try {
            val tree = Documents.parse(request.text(), request.name)
            jobId = Documents.text(tree, "job_id")
            val version = Documents.wholeNumber(tree, "job_version")
            if (version != JOB_VERSION) {
                bad(
                    "this application takes jobs of version $JOB_VERSION, got ${version ?: "none"}; " +
                        "install the application that belongs to the harness",
                )
            }
            measure(Documents.read(Job.serializer(), request.text(), request.name))
        } catch (error: Exception) {
            result(jobId).copy(failure = failureOf(error))
        } catch (error: OutOfMemoryError) {
            result(jobId).copy(failure = failureOf(error))
        }
        return result.copy(requestSha256 = request.sha256)
    }

    private fun measure(job: Job): AgentResult {
        checkNumbers(job)
        val runtime = runtimes.firstOrNull { it.name == job.runtime }
            ?: bad("no runtime is called '${job.runtime}'; choose from ${runtimes.joinToString { it.name }}")
        val outputs = external.file(job.outputsPath)
        val identity = identity(job)
        val model = internal.file(job.modelPath)
        if (Staging.files(store, identity) == null || !model.exists()) {
            bad("${SafePaths.quoted(job.modelPath)} is not stored; stage the artefact first")
        }
        val inputs = job.inputs.singleOrNull()?.let(::samples) ?: bad("a model has one input, the job gives ${job.inputs.size}")
        val options = options(job, runtime)
        Preconditions.check(application, debuggableAllowed, services.conditions())
        val plan = MeasuringPlan(
            ModelFile(model), inputs, options, job.warmup, job.iterations, job.minimumSeconds, job.sustainedSeconds, job.cores,
        )
        val measurement = Measurement(runtime, machine, Clocks.System, progress, Preconditions::checkHeat)
        val measured = try {
            measurement.run(plan)
        } catch (error: RequestFailure) {
            throw error
        } catch (error: Exception) {
            // A damaged file may be refused in many words: this one helps.
            checkUnaltered(identity)
            throw error
        }
        // After the measurement, for it brings the whole file into memory.
        checkUnaltered(identity)
        return result(job.jobId).copy(
            runtimeVersion = measured.runtimeVersion,
            acceleratorObserved = measured.acceleratorObserved,
            launch = measured.launch,
            outputs = write(measured, outputs, job.outputsPath),
        )
    }

    private fun checkNumbers(job: Job) {
        val rule = job.warmup
        val faults = listOf(
            (job.threads < 1) to "threads must be at least 1, got ${job.threads}",
            (job.iterations < 1) to "iterations must be at least 1, got ${job.iterations}",
            (job.minimumSeconds < 0) to "minimum_seconds must not be negative, got ${job.minimumSeconds}",
            (job.sustainedSeconds != null && job.sustainedSeconds <= 0) to
                "sustained_seconds must be positive or null, got ${job.sustainedSeconds}",
            (rule.windowIterations < 1 || rule.stableWindows < 1 || rule.maximumIterations < 1) to
                "windows and the most iterations of the warm-up must be at least 1",
            (rule.tolerance < 0 || rule.maximumSeconds < 0 || rule.minimumIterations < 0) to
                "tolerance, seconds and the fewest iterations of the warm-up must not be negative",
        )
        faults.firstOrNull { (wrong, _) -> wrong }?.let { (_, words) -> bad(words) }
    }

    private fun options(job: Job, runtime: InferenceRuntime): LoadOptions {
        val accelerator = Accelerator.entries.firstOrNull { it.id == job.accelerator } ?: throw RequestFailure(
            FailureCode.ACCELERATOR_MISSING,
            "no accelerator is called '${job.accelerator}'; choose from ${Accelerator.entries.joinToString { it.id }}",
        )
        if (job.loadMode !in runtime.loadModes) {
            bad("${runtime.name} cannot load by ${job.loadMode.id}; choose from ${runtime.loadModes.joinToString { it.id }}")
        }
        return LoadOptions(job.threads, job.loadMode, accelerator)
    }

    /** The artefact that a model's path belongs to. */
    private fun identity(job: Job): String {
        internal.file(job.modelPath)
        val parts = job.modelPath.split('/')
        if (parts.size < 3 || parts[0] != ModelStore.FOLDER) {
            val path = SafePaths.quoted(job.modelPath)
            bad("the model's path must be ${ModelStore.FOLDER}/<artifact_sha256>/<entry point>, got $path")
        }
        store.folder(parts[1])
        return parts[1]
    }

    private fun checkUnaltered(identity: String) {
        val fault = Staging.fault(store, identity) ?: return
        throw RequestFailure(FailureCode.MODEL_ALTERED, "$fault; forget the artefact and stage it again")
    }

    /** Raw little-endian values as samples of batch 1. */
    private fun samples(input: InputFile): List<Tensor> {
        val file = external.file(input.path)
        if (input.shape.isEmpty() || input.shape.any { it < 1 } || input.dtype == ElementType.UINT16) {
            bad("the input ${SafePaths.quoted(input.path)} cannot be ${input.dtype.id} of the shape ${input.shape}")
        }
        val wanted = try {
            Math.multiplyExact(Tensor.count(input.shape), input.dtype.bytes.toLong())
        } catch (error: ArithmeticException) {
            throw RequestFailure(FailureCode.BAD_JOB, "the input's shape ${input.shape} is impossible", error)
        }
        if (!file.isFile || file.length() != wanted || wanted > Int.MAX_VALUE) {
            val found = if (file.isFile) "has ${file.length()} bytes" else "is not there"
            bad("the input ${SafePaths.quoted(input.path)} $found; ${input.dtype.id} of ${input.shape} takes $wanted")
        }
        return Bundle.split(Tensor.allocate(input.dtype, input.shape).apply { bytes().put(file.readBytes()) })
    }

    private fun write(measured: Measured, file: File, path: String): OutputFile {
        val width = measured.outputs[0].size
        val bytes = ByteBuffer.allocate(measured.outputs.size * width * Float.SIZE_BYTES).order(ByteOrder.LITTLE_ENDIAN)
        measured.outputs.forEach { row -> row.forEach(bytes::putFloat) }
        Hashing.writeWhole(file, bytes.array())
        return OutputFile(path, ElementType.FLOAT32, listOf(measured.outputs.size, width), Hashing.sha256(bytes.array()))
    }

    private fun result(jobId: String?) =
        AgentResult(RESULT_VERSION, jobId, application.platform, failure = null, appVersion = application.version)
}

internal fun bad(message: String): Nothing = throw RequestFailure(FailureCode.BAD_JOB, message)
