package org.pocketclip.app.measure

import java.io.File
import java.util.UUID
import kotlinx.serialization.Serializable
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bench.BenchProgram
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledTower
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.Failure
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.ForgetRequest
import org.pocketclip.core.records.InputFile
import org.pocketclip.core.records.Job
import org.pocketclip.core.records.RESULT_VERSION
import org.pocketclip.core.records.StageAnswer
import org.pocketclip.core.records.StageRequest
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.LoadMode

/** Which of a bundle's towers. */
@Serializable
enum class Tower { IMAGE, TEXT }

/** What shall be measured: a tower of the bundle in [bundleFolder], as [accelerator] and [threads] say. */
@Serializable
data class MeasureRequest(
    val bundleFolder: String,
    val tower: Tower,
    val accelerator: Accelerator,
    val threads: Int,
    val iterations: Int = 50,
    val minimumSeconds: Double = 2.0,
)

/**
 * Measures a bundle's tower with the very program that the harness starts, so that numbers compare: the model is staged,
 * measured in this process, and forgotten again.
 *
 * @param folder of the application's own, for requests, models and results.
 * @param program makes core's program on that folder.
 */
class TowerMeasurement(private val folder: File, private val program: (File) -> BenchProgram) {
    /**
     * Blocks until it is done.
     *
     * @return the file with the result (an `AgentResult`), that of a failure too.
     * @throws org.pocketclip.core.BundleException the bundle was damaged since it was imported.
     */
    fun run(request: MeasureRequest): File {
        val bundle = Bundle.open(File(request.bundleFolder))
        val tower = if (request.tower == Tower.IMAGE) bundle.manifest.image else bundle.manifest.text
        val bench = program(folder)
        val id = UUID.randomUUID().toString()
        val work = File(folder, id)
        val identity = identity(bundle, tower)
        try {
            stage(bench, bundle, tower, identity, work)?.let { failure -> return kept(id, failed(id, failure)) }
            val golden = tower.golden.inputs
            File(bundle.folder, golden.file).copyTo(File(work, "inputs.bin"))
            val job = Job(
                jobId = id,
                runtime = tower.runtime,
                modelPath = "models/$identity/${tower.entryPoint}",
                inputs = listOf(InputFile("$id/inputs.bin", golden.dtype, golden.shape)),
                threads = request.threads,
                warmup = WarmupRule(),
                iterations = request.iterations,
                minimumSeconds = request.minimumSeconds,
                sustainedSeconds = null,
                cores = null,
                outputsPath = "$id/outputs.bin",
                accelerator = request.accelerator.id,
                loadMode = LoadMode.FILE,
            )
            write(File(work, "job.json"), Documents.write(Job.serializer(), job))
            return kept(id, bench.run("measure", "$id/job.json").file.readText())
        } finally {
            write(File(work, "forget.json"), Documents.write(ForgetRequest.serializer(), ForgetRequest(listOf(identity))))
            bench.run("forget", "$id/forget.json")
            work.deleteRecursively()
        }
    }

    private fun stage(bench: BenchProgram, bundle: Bundle, tower: BundledTower, identity: String, work: File): Failure? {
        val files = files(bundle, tower)
        for (entry in files) {
            val copy = File(work, "model/${entry.path}")
            copy.parentFile?.mkdirs()
            File(bundle.folder, entry.path).copyTo(copy)
        }
        val request = StageRequest(identity, "${work.name}/model", files)
        write(File(work, "stage.json"), Documents.write(StageRequest.serializer(), request))
        val answer = bench.run("stage", "${work.name}/stage.json").file
        return Documents.read(StageAnswer.serializer(), answer.readText(), answer.name).failure
    }

    /** The model and what lies beside it: weights may be in files of their own. */
    private fun files(bundle: Bundle, tower: BundledTower): List<FileEntry> {
        val folder = tower.entryPoint.substringBeforeLast('/', "")
        val golden = bundle.manifest.tensors.mapTo(HashSet()) { it.file }
        return bundle.manifest.files.filter {
            it.path !in golden && (it.path == tower.entryPoint || (folder.isNotEmpty() && it.path.startsWith("$folder/")))
        }
    }

    /** The artefact's identity where the bundle gives one as SHA-256; else that of the files. */
    private fun identity(bundle: Bundle, tower: BundledTower): String =
        tower.artifactSha256.takeIf(IDENTITY::matches) ?: Hashing.sha256(files(bundle, tower))

    private fun failed(id: String, failure: Failure): String = Documents.write(
        AgentResult.serializer(),
        AgentResult(RESULT_VERSION, id, platform = "Android", failure = failure),
    )

    private fun kept(id: String, result: String): File {
        val file = File(folder, "$RESULTS/$id.json")
        write(file, result)
        return file
    }

    private fun write(file: File, text: String) {
        Hashing.writeWhole(file, text.toByteArray())
    }

    companion object {
        /** Folder of the results below that of the measurements; they are kept until the user clears them. */
        const val RESULTS = "results"

        private val IDENTITY = Regex("[0-9a-f]{64}")
    }
}
