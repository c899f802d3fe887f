package org.pocketclip.core.bench

import org.pocketclip.core.Documents
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.measuring.Throughput
import org.pocketclip.core.measuring.ThroughputPlan
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.ThroughputJob
import org.pocketclip.core.records.ThroughputLaunch
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions

/** Carries out a throughput: everything in its job is checked before a photograph or the model is touched. */
internal class ThroughputAction(
    private val ground: JobGround,
    private val copies: PhotoCopies,
    private val decoder: PhotoDecoder,
) {
    /** The result, a failure's too; throws only what is a mistake in this program. */
    fun run(request: Request): AgentResult = ground.answer(request) { text, empty ->
        measure(Documents.read(ThroughputJob.serializer(), text, request.name), empty)
    }

    private fun measure(job: ThroughputJob, empty: AgentResult): AgentResult {
        checkNumbers(job)
        val runtime = ground.runtime(job.runtime)
        val model = ground.model(job.modelPath)
        val input = ImageInput(job.preprocess, job.input)
        val options = ground.options(runtime, job.threads, job.accelerator)
        ground.checkConditions()
        return ground.unaltered(model) {
            copies.during(job.photos) { photos ->
                val plan = ThroughputPlan(photos, job.decoders, job.seconds, job.warmupPhotos, job.stepPhotos)
                val (launch, observed) = launch(runtime, model, options, input, plan)
                ground.checkExecuted(job.accelerator, observed)
                empty.copy(runtimeVersion = runtime.version, acceleratorObserved = observed, throughput = launch)
            }
        }
    }

    private fun launch(
        runtime: InferenceRuntime,
        model: JobGround.StoredModel,
        options: LoadOptions,
        input: ImageInput,
        plan: ThroughputPlan,
    ): Pair<ThroughputLaunch, String?> = runtime.load(model.file, options).use { session ->
        val throughput = Throughput(session, input, decoder, ground.machine, progress = ground.progress) { state ->
            // As a long run: that a phone warms up is part of what is measured, and its record says so.
            Preconditions.checkHeat(state, sustained = true)
        }
        throughput.run(plan) to session.acceleratorObserved
    }

    private fun checkNumbers(job: ThroughputJob) {
        val faults = listOf(
            (job.threads < 1) to "threads must be at least 1, got ${job.threads}",
            (job.decoders !in 1..MOST_DECODERS) to "decoders must be 1 to $MOST_DECODERS, got ${job.decoders}",
            (job.seconds <= 0 || job.seconds > MOST_SECONDS) to
                "seconds must be above 0 and at most $MOST_SECONDS, got ${job.seconds}",
            (job.warmupPhotos !in 0..MOST_STEPS || job.stepPhotos !in 1..MOST_STEPS) to
                "the steps of 1 to $MOST_STEPS photographs are timed, after at most as many that warm the process up",
        )
        faults.firstOrNull { (wrong, _) -> wrong }?.let { (_, words) -> bad(words) }
    }

    private companion object {
        const val MOST_DECODERS = 64
        const val MOST_SECONDS = 3600.0
        const val MOST_STEPS = 1000
    }
}
