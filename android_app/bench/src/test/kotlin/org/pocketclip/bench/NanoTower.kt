package org.pocketclip.bench

import java.io.File
import org.junit.Assume.assumeTrue
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.ForgetRequest
import org.pocketclip.core.records.InputFile
import org.pocketclip.core.records.Job
import org.pocketclip.core.records.StageRequest
import org.pocketclip.core.records.ThroughputJob
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.LoadMode

/** The text tower of a real bundle, pushed as the harness does it. */
class NanoTower private constructor(private val external: File, private val bundle: Bundle) {
    private val tower = bundle.manifest.text
    val identity: String = tower.artifactSha256
    val stageRequest = "stage/request.json"
    val forgetRequest = "forget/request.json"

    private fun push() {
        val entry = bundle.manifest.files.first { it.path == tower.entryPoint }
        File(bundle.folder, entry.path).copyTo(File(external, "stage/files/${entry.path}"), overwrite = true)
        write(stageRequest, Documents.write(StageRequest.serializer(), StageRequest(identity, "stage/files", listOf(entry))))
        write(forgetRequest, Documents.write(ForgetRequest.serializer(), ForgetRequest(listOf(identity))))
    }

    /** Writes a job into a folder of its own and returns its path. */
    fun job(name: String): String {
        val golden = tower.golden.inputs
        File(bundle.folder, golden.file).copyTo(File(external, "$name/inputs.bin"), overwrite = true)
        val job = Job(
            name, tower.runtime, "models/$identity/${tower.entryPoint}",
            listOf(InputFile("$name/inputs.bin", golden.dtype, golden.shape)),
            threads = 1, warmup = WarmupRule(minimumIterations = 1, maximumIterations = 15), iterations = 3,
            minimumSeconds = 0.0, sustainedSeconds = null, cores = null, outputsPath = "$name/outputs.bin",
            accelerator = "cpu", loadMode = LoadMode.FILE,
        )
        write("$name/job.json", Documents.write(Job.serializer(), job))
        return "$name/job.json"
    }

    /** Writes the job of a throughput whose only photograph was not pushed, and returns its path. */
    fun throughputJob(name: String): String {
        val job = ThroughputJob(
            name, tower.runtime, "models/$identity/${tower.entryPoint}", listOf(FileEntry("$name/0.jpg", 3, "0".repeat(64))),
            bundle.manifest.preprocess, bundle.manifest.image.input, threads = 1, decoders = 1, seconds = 0.1,
            warmupPhotos = 1, stepPhotos = 1, accelerator = "cpu",
        )
        write("$name/job.json", Documents.write(ThroughputJob.serializer(), job))
        return "$name/job.json"
    }

    private fun write(path: String, text: String) = File(external, path).run {
        parentFile!!.mkdirs()
        writeText(text)
    }

    companion object {
        /** Skips the test where no bundle was given by the system property `pocketclip.bundle`. */
        fun stage(external: File): NanoTower {
            val folder = System.getProperty("pocketclip.bundle").orEmpty()
            assumeTrue("-Dpocketclip.bundle=FOLDER gives a bundle of ONNX towers", File(folder, "bundle.json").isFile)
            return NanoTower(external, Bundle.open(File(folder))).apply { push() }
        }
    }
}
