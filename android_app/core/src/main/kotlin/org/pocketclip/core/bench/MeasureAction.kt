package org.pocketclip.core.bench

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.measuring.Clocks
import org.pocketclip.core.measuring.Measured
import org.pocketclip.core.measuring.Measurement
import org.pocketclip.core.measuring.MeasuringPlan
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.InputFile
import org.pocketclip.core.records.Job
import org.pocketclip.core.records.OutputFile
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Tensor

/** Carries out a job: everything in it is checked before the model is touched. */
internal class MeasureAction(private val ground: JobGround) {
    /** The result, a failure's too; throws only what is a mistake in this program. */
    fun run(request: Request): AgentResult = ground.answer(request) { text, empty ->
        measure(Documents.read(Job.serializer(), text, request.name), empty)
    }

    private fun measure(job: Job, empty: AgentResult): AgentResult {
        checkNumbers(job)
        val runtime = ground.runtime(job.runtime)
        val outputs = ground.external.file(job.outputsPath)
        val model = ground.model(job.modelPath)
        val inputs = job.inputs.singleOrNull()?.let(::samples) ?: bad("a model has one input, the job gives ${job.inputs.size}")
        val options = ground.options(runtime, job.threads, job.accelerator, job.loadMode)
        ground.checkConditions()
        val plan = MeasuringPlan(
            model.file, inputs, options, job.warmup, job.iterations, job.minimumSeconds, job.sustainedSeconds, job.cores,
        )
        val measurement = Measurement(runtime, ground.machine, Clocks.System, ground.progress, Preconditions::checkHeat)
        val measured = ground.unaltered(model) { measurement.run(plan) }
        ground.checkExecuted(job.accelerator, measured.acceleratorObserved)
        return empty.copy(
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

    /** Raw little-endian values as samples of batch 1. */
    private fun samples(input: InputFile): List<Tensor> {
        val file = ground.external.file(input.path)
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
}

internal fun bad(message: String): Nothing = throw RequestFailure(FailureCode.BAD_JOB, message)
