package org.pocketclip.core.bench

import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import kotlinx.serialization.KSerializer
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.machine.Conditions
import org.pocketclip.core.machine.SystemServices
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.AppFacts
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.ForgetAnswer
import org.pocketclip.core.records.ForgetRequest
import org.pocketclip.core.records.InputFile
import org.pocketclip.core.records.Job
import org.pocketclip.core.records.StageAnswer
import org.pocketclip.core.records.StageRequest
import org.pocketclip.core.records.ThroughputJob
import org.pocketclip.core.records.UnreadablePhoto
import org.pocketclip.core.records.WarmupRule
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.testing.FakeMachine
import org.pocketclip.core.testing.FakeRuntime
import org.pocketclip.core.testing.Launches
import org.pocketclip.core.testing.Photos

class BenchProgramTest {
    @TempDir
    lateinit var temporary: Path
    private val external by lazy { temporary.resolve("external").toFile().apply { mkdirs() } }
    private val internal by lazy { temporary.resolve("internal").toFile().apply { mkdirs() } }
    private val identity = "ab".repeat(32)
    private val inputs = Tensor.of(FloatArray(12) { it / 3f }, listOf(3, 4))
    private var conditions = Conditions(80, false, false, 1)

    private fun program(
        runtime: FakeRuntime = FakeRuntime(),
        debuggable: Boolean? = false,
        machine: FakeMachine = FakeMachine(),
        allowed: Boolean = false,
    ) = BenchProgram(
        external, internal, listOf(runtime, FakeRuntime("litert", missing = true)), Photos, machine, SystemServices { conditions },
        Application("1.2", "Android 15 (API 35)", debuggable), allowed,
    )

    private fun put(path: String, content: String) = File(external, path).apply { parentFile.mkdirs() }.writeText(content)

    private fun <T> request(action: String, content: String, serializer: KSerializer<T>, program: BenchProgram = program()): T {
        put("run/request.json", content)
        return read(program.run(action, "run/request.json"), serializer)
    }

    private fun <T> read(answer: Answer, serializer: KSerializer<T>): T {
        val bytes = answer.file.readBytes()
        assertEquals("pocketclip=${bytes.size} ${Hashing.sha256(bytes)}", answer.line)
        assertFalse(File(answer.file.path + ".partial").exists())
        return Documents.read(serializer, String(bytes), "answer")
    }

    private fun entry(path: String, content: String) = FileEntry(path, content.toByteArray().size.toLong(), Hashing.sha256(content.toByteArray()))

    private fun stage(files: Map<String, String> = mapOf("model.onnx" to FakeRuntime.CONTENT), announced: List<FileEntry> = files.map { entry(it.key, it.value) }, folder: String = "push"): StageAnswer {
        files.forEach { (path, content) -> put("$folder/$path", content) }
        val text = Documents.write(StageRequest.serializer(), StageRequest(identity, folder, announced))
        return request("stage", text, StageAnswer.serializer())
    }

    private fun job() = Job(
        jobId = "job-7",
        runtime = "onnxruntime",
        modelPath = "models/$identity/model.onnx",
        inputs = listOf(InputFile("run/inputs.bin", ElementType.FLOAT32, listOf(3, 4))),
        threads = 2,
        warmup = WarmupRule(tolerance = 1000.0),
        iterations = 6,
        minimumSeconds = 0.0,
        sustainedSeconds = null,
        cores = null,
        outputsPath = "run/outputs.bin",
        accelerator = "xnnpack",
        loadMode = LoadMode.FILE,
    )

    private fun measure(job: Job = job(), program: BenchProgram = program()): AgentResult =
        request("measure", Documents.write(Job.serializer(), job), AgentResult.serializer(), program)

    private fun refused(code: FailureCode, word: String, job: Job = job(), program: BenchProgram = program()) {
        val result = measure(job, program)
        assertEquals(code, result.failure?.code, result.failure?.message)
        assertTrue(word in result.failure?.message.orEmpty(), "'$word' in: ${result.failure?.message}")
        assertNull(result.launch)
        assertEquals(job.jobId, result.jobId)
    }

    @BeforeEach
    fun writeInputs() {
        File(external, "run").mkdirs()
        val bytes = ByteArray(48).also { inputs.bytes().get(it) }
        File(external, "run/inputs.bin").writeBytes(bytes)
    }

    @Test
    fun `facts tell what is there`() {
        stage()
        File(internal, "models/${"cd".repeat(32)}.partial").mkdirs()
        val facts = read(program().run("facts", null), AppFacts.serializer())
        assertEquals(File(external, "facts/result.json").isFile, true)
        assertEquals(mapOf("onnxruntime" to "onnxruntime 9.9", "litert" to null), facts.runtimes)
        assertEquals(mapOf("onnxruntime" to listOf("cpu", "xnnpack")), facts.accelerators)
        assertEquals(listOf(identity), facts.models)
        assertTrue(checkNotNull(facts.freeBytes) > 0)
        assertEquals(listOf(4, 5), listOf(facts.jobVersion, facts.resultVersion))
    }

    @Test
    fun `a staged model is measured`() {
        assertEquals(StageAnswer(true), stage())
        assertFalse(File(external, "push").exists(), "what was pushed is moved")
        val runtime = FakeRuntime()
        val result = measure(program = program(runtime))
        assertNull(result.failure)
        assertEquals("job-7", result.jobId)
        assertEquals("1.2", result.appVersion)
        assertEquals("fake", result.acceleratorObserved)
        assertEquals(2, runtime.lastOptions?.threads)
        assertEquals(6, result.launch?.steadyNs?.size)
        val outputs = checkNotNull(result.outputs)
        assertEquals(listOf(3, FakeRuntime.DIMENSION), outputs.shape)
        val bytes = File(external, outputs.path).readBytes()
        assertEquals(outputs.sha256, Hashing.sha256(bytes))
        assertEquals(3 * FakeRuntime.DIMENSION * 4, bytes.size)
    }

    @Test
    fun `staging is whole or not at all`() {
        val good = entry("model.onnx", FakeRuntime.CONTENT)
        for (wrong in listOf(good.copy(sha256 = "0".repeat(64)), good.copy(sizeBytes = 3), good.copy(sizeBytes = 300))) {
            assertEquals(FailureCode.MODEL_ALTERED, stage(announced = listOf(wrong)).failure?.code)
            assertEquals(emptyList<String>(), File(internal, "models").list().orEmpty().toList())
        }
        assertEquals(FailureCode.MODEL_ALTERED, stage(announced = listOf(good, entry("weights/data.bin", "x"))).failure?.code)
        assertEquals(FailureCode.NO_SPACE, stage(announced = listOf(good.copy(sizeBytes = Long.MAX_VALUE / 2))).failure?.code)
        assertEquals(FailureCode.PATH_OUTSIDE, stage(announced = listOf(good.copy(path = "../model.onnx"))).failure?.code)
        assertEquals(FailureCode.PATH_OUTSIDE, stage(announced = listOf(good, good.copy(path = "MODEL.onnx"))).failure?.code)
        assertEquals(FailureCode.BAD_JOB, stage(announced = emptyList()).failure?.code)
        assertEquals(FailureCode.BAD_JOB, stage(announced = listOf(good.copy(sizeBytes = -1))).failure?.code)
        val elsewhere = Documents.write(StageRequest.serializer(), StageRequest(identity, "../push", listOf(good)))
        assertEquals(FailureCode.PATH_OUTSIDE, request("stage", elsewhere, StageAnswer.serializer()).failure?.code)
        val noHash = Documents.write(StageRequest.serializer(), StageRequest("../../etc", "push", listOf(good)))
        assertEquals(FailureCode.BAD_JOB, request("stage", noHash, StageAnswer.serializer()).failure?.code)
        assertEquals(FailureCode.BAD_JOB, request("stage", "{}", StageAnswer.serializer()).failure?.code)
        assertTrue(stage(mapOf("model.onnx" to FakeRuntime.CONTENT, "weights/data.bin" to "x")).staged)
        assertEquals("x", File(internal, "models/$identity/weights/data.bin").readText())
    }

    @Test
    fun `staging again is quick, and mends what was altered`() {
        stage()
        val model = File(internal, "models/$identity/model.onnx")
        val before = model.lastModified()
        // Nothing is pushed: it is there.
        val announced = listOf(entry("model.onnx", FakeRuntime.CONTENT))
        assertTrue(stage(emptyMap(), announced).staged)
        assertEquals(before, model.lastModified())
        model.writeText("A model")
        assertEquals(FailureCode.MODEL_ALTERED, stage(emptyMap(), announced).failure?.code)
        assertTrue(stage().staged)
        assertEquals(FakeRuntime.CONTENT, model.readText())
    }

    @Test
    fun `links in the shared folder are not followed`() {
        val secret = temporary.resolve("secret").also { Files.writeString(it, FakeRuntime.CONTENT) }
        File(external, "push").mkdirs()
        Files.createSymbolicLink(external.resolve("push/model.onnx").toPath(), secret)
        val text = Documents.write(StageRequest.serializer(), StageRequest(identity, "push", listOf(entry("model.onnx", FakeRuntime.CONTENT))))
        assertEquals(FailureCode.PATH_OUTSIDE, request("stage", text, StageAnswer.serializer()).failure?.code)
        Files.createSymbolicLink(external.resolve("linked").toPath(), temporary)
        stage()
        refused(FailureCode.PATH_OUTSIDE, "through a link", job().copy(inputs = listOf(InputFile("linked/secret", ElementType.UINT8, listOf(1, 7)))))
    }

    @Test
    fun `forgetting`() {
        stage()
        val text = Documents.write(ForgetRequest.serializer(), ForgetRequest(listOf("cd".repeat(32), identity)))
        assertEquals(ForgetAnswer(listOf(identity)), request("forget", text, ForgetAnswer.serializer()))
        assertEquals(emptyList<String>(), File(internal, "models").list().orEmpty().toList())
        val odd = Documents.write(ForgetRequest.serializer(), ForgetRequest(listOf("../x")))
        assertEquals(FailureCode.BAD_JOB, request("forget", odd, ForgetAnswer.serializer()).failure?.code)
        refused(FailureCode.BAD_JOB, "stage the artefact first")
    }

    @Test
    fun `conditions under which nothing is measured`() {
        stage()
        conditions = Conditions(19, false, false, 0)
        refused(FailureCode.LOW_BATTERY, "19 %")
        conditions = Conditions(19, true, true, 0)
        refused(FailureCode.POWER_SAVER, "turn it off")
        conditions = Conditions(20, false, false, 2)
        refused(FailureCode.THERMAL, "cool down")
        conditions = Conditions()
        refused(FailureCode.DEBUGGABLE, "release build", program = program(debuggable = true))
        assertNull(measure(program = program(debuggable = true, allowed = true)).failure)
        assertNull(measure(program = program(debuggable = null)).failure)
    }

    @Test
    fun `a phone that becomes too warm ends the measurement`() {
        stage()
        val warm = FakeMachine({ Launches.state().copy(thermalStatus = if (it == 0) 0 else 3) })
        refused(FailureCode.THERMAL, "while it was measured", program = program(machine = warm))
        // A sustained run shows how it slows down: only beyond severe it ends.
        for ((status, failure) in listOf(3 to null, 4 to FailureCode.THERMAL)) {
            val machine = FakeMachine({ Launches.state().copy(thermalStatus = if (it < 3) 0 else status) })
            val result = measure(job().copy(sustainedSeconds = 0.01), program(machine = machine))
            assertEquals(failure, result.failure?.code)
        }
    }

    @Test
    fun `jobs that cannot be carried out`() {
        stage()
        val good = job()
        for ((word, wrong) in listOf(
            "threads" to good.copy(threads = 0),
            "iterations" to good.copy(iterations = 0),
            "minimum_seconds" to good.copy(minimumSeconds = -1.0),
            "sustained_seconds" to good.copy(sustainedSeconds = 0.0),
            "windows" to good.copy(warmup = WarmupRule(windowIterations = 0)),
            "tolerance" to good.copy(warmup = WarmupRule(tolerance = -1.0)),
            "choose from onnxruntime, litert" to good.copy(runtime = "abacus"),
            "one input" to good.copy(inputs = emptyList()),
            "is not there" to good.copy(inputs = listOf(good.inputs[0].copy(path = "run/none.bin"))),
            "48 bytes" to good.copy(inputs = listOf(good.inputs[0].copy(shape = listOf(2, 4)))),
            "cannot be" to good.copy(inputs = listOf(good.inputs[0].copy(shape = listOf(0, 4)))),
            "impossible" to good.copy(inputs = listOf(good.inputs[0].copy(shape = List(5) { Int.MAX_VALUE }))),
            "choose from file" to good.copy(loadMode = LoadMode.MMAP),
            "models/<artifact_sha256>" to good.copy(modelPath = "model.onnx"),
            "is not stored" to good.copy(modelPath = "models/$identity/other.onnx"),
            "is not stored" to good.copy(modelPath = "models/${"0".repeat(64)}/model.onnx"),
            "there are no cores" to good.copy(cores = listOf(64)),
        )) {
            refused(FailureCode.BAD_JOB, word, wrong)
        }
        refused(FailureCode.PATH_OUTSIDE, "leaves the folder", good.copy(modelPath = "models/../../model.onnx"))
        refused(FailureCode.PATH_OUTSIDE, "absolute", good.copy(outputsPath = "/sdcard/outputs.bin"))
        refused(FailureCode.ACCELERATOR_MISSING, "choose from cpu", good.copy(accelerator = "abacus"))
        refused(FailureCode.ACCELERATOR_MISSING, "no gpu", good.copy(accelerator = "gpu"))
        refused(FailureCode.RUNTIME_MISSING, "litert", good.copy(runtime = "litert"))
    }

    @Test
    fun `jobs of another version, malformed and missing ones`() {
        val old = Documents.write(Job.serializer(), job()).replace("\"job_version\":4", "\"job_version\":2")
        val answer = request("measure", old, AgentResult.serializer())
        assertEquals(FailureCode.BAD_JOB, answer.failure?.code)
        assertTrue("version 4, got 2" in answer.failure?.message.orEmpty(), answer.failure?.message)
        assertEquals("job-7", answer.jobId)
        val extra = Documents.write(Job.serializer(), job()).replace("{\"job_id\"", "{\"extra\":1,\"job_id\"")
        assertTrue("extra" in request("measure", extra, AgentResult.serializer()).failure?.message.orEmpty())
        val none = request("measure", "nonsense", AgentResult.serializer())
        assertNull(none.jobId)
        val absent = read(program().run("measure", "run/absent.json"), AgentResult.serializer())
        assertTrue("no job" in absent.failure?.message.orEmpty())
        assertEquals(FailureCode.BAD_JOB, read(program().run("stage", "run/absent.json"), StageAnswer.serializer()).failure?.code)
    }

    @Test
    fun `runtimes that fail, and models that were altered`() {
        stage()
        refused(FailureCode.INFERENCE_FAILED, "it broke", program = program(FakeRuntime(beforeRun = FakeRuntime.failing(3))))
        refused(FailureCode.NON_FINITE_OUTPUT, "sample 1", program = program(FakeRuntime(alter = { values, count -> if (count == 4) values.also { it[0] = Float.NaN } else values })))
        refused(FailureCode.LOAD_FAILED, "memory is used up", program = program(FakeRuntime(beforeRun = { if (it == 2) throw OutOfMemoryError("Java heap space") })))
        val model = File(internal, "models/$identity/model.onnx")
        model.writeText("a mOdel")
        refused(FailureCode.MODEL_ALTERED, "altered")
        stage(mapOf("model.onnx" to "no model"))
        refused(FailureCode.LOAD_FAILED, "is no model")
        stage(mapOf("model.onnx" to FakeRuntime.CONTENT, "more.bin" to "x"))
        File(internal, "models/$identity/more.bin").writeText("y")
        refused(FailureCode.MODEL_ALTERED, "more.bin")
    }

    @Test
    fun `a runtime that falls back from the NPU silently fails the job`() {
        stage()
        val asked = job().copy(accelerator = "npu")
        for ((observed, words) in listOf("cpu" to "cpu executed the model", null to "does not tell", "npu+cpu" to "npu+cpu executed")) {
            refused(FailureCode.ACCELERATOR_FALLBACK, words, asked, program(FakeRuntime.withNpu(observed = { observed })))
        }
        val result = measure(asked, program(FakeRuntime.withNpu()))
        assertEquals(null to "npu", result.failure to result.acceleratorObserved)
    }

    @Test
    fun `a request that was changed on its way is not carried out`() {
        stage()
        val content = Documents.write(Job.serializer(), job())
        val sent = Hashing.sha256(content.toByteArray())
        put("run/request.json", content)
        val answer = read(program().run("measure", "run/request.json", sent), AgentResult.serializer())
        assertNull(answer.failure)
        assertEquals(sent, answer.requestSha256)
        put("run/request.json", content.replace("\"threads\":1", "\"threads\":2") + " ")
        File(external, "run/result.json").delete()
        for (action in listOf("measure", "stage", "forget")) {
            val error = assertThrows(InputException::class.java) { program().run(action, "run/request.json", sent) }
            assertTrue("request-altered" in error.message.orEmpty(), error.message)
        }
        assertFalse(File(external, "run/result.json").exists())
        put("run/request.json", " ".repeat(5 shl 20))
        val large = assertThrows(InputException::class.java) { program().run("measure", "run/request.json", null) }
        assertTrue("at most" in large.message.orEmpty(), large.message)
    }

    private fun throughputJob(vararg photos: Pair<String, String>) = ThroughputJob(
        jobId = "job-8",
        runtime = "onnxruntime",
        modelPath = "models/$identity/model.onnx",
        photos = photos.map { (path, content) -> entry(path, content) },
        preprocess = Photos.PREPROCESS,
        input = Photos.INPUT,
        threads = 2,
        decoders = 2,
        seconds = 0.05,
        warmupPhotos = 1,
        stepPhotos = 3,
        accelerator = "xnnpack",
    )

    private fun throughput(job: ThroughputJob, program: BenchProgram = program()): AgentResult =
        request("throughput", Documents.write(ThroughputJob.serializer(), job), AgentResult.serializer(), program)

    private fun noThroughput(code: FailureCode, word: String, job: ThroughputJob, program: BenchProgram = program()) {
        val result = throughput(job, program)
        assertEquals(code, result.failure?.code, result.failure?.message)
        assertTrue(word in result.failure?.message.orEmpty(), "'$word' in: ${result.failure?.message}")
        assertNull(result.throughput)
        assertFalse(File(internal, "photos").exists(), "photographs stay")
    }

    @Test
    fun `photographs become embeddings, and none stays`() {
        stage()
        val photos = arrayOf("run/photos/0000.jpg" to "red", "run/photos/0001.jpg" to "damaged", "run/photos/0002" to "blue")
        photos.forEach { (path, content) -> put(path, content) }
        val runtime = FakeRuntime()
        val result = throughput(throughputJob(*photos), program(runtime))
        assertNull(result.failure, result.failure?.message)
        assertEquals("onnxruntime 9.9", result.runtimeVersion)
        assertEquals("fake", result.acceleratorObserved)
        assertEquals(listOf("job-8", null), listOf(result.jobId, result.launch))
        assertEquals(listOf(2, 0), listOf(runtime.lastOptions?.threads, runtime.open))
        val launch = checkNotNull(result.throughput)
        assertTrue(launch.photos >= 1 && launch.elapsedNs >= 50_000_000, "$launch")
        assertEquals(4 + launch.photos, runtime.inferences)
        assertEquals(listOf(UnreadablePhoto("run/photos/0001.jpg", "it is damaged")), launch.firstUnreadable)
        assertFalse(File(internal, "photos").exists())
        // What a launch that was killed left is gone with whatever comes next.
        File(internal, "photos").mkdirs()
        File(internal, "photos/0").writeText("red")
        program().run("facts", null)
        assertFalse(File(internal, "photos").exists())
    }

    @Test
    fun `throughputs that cannot be measured`() {
        stage()
        put("run/0.jpg", "red")
        put("run/1.jpg", "damaged")
        val good = throughputJob("run/0.jpg" to "red")
        for ((word, wrong) in listOf(
            "threads" to good.copy(threads = 0),
            "decoders must be 1 to 64, got 0" to good.copy(decoders = 0),
            "decoders must be 1 to 64, got 65" to good.copy(decoders = 65),
            "at most 3600" to good.copy(seconds = 1e9),
            "above 0" to good.copy(seconds = 0.0),
            "1 to 1000" to good.copy(stepPhotos = 0),
            "at most as many" to good.copy(warmupPhotos = 1001),
            "1 to 1024 photographs, the job gives 0" to good.copy(photos = emptyList()),
            "are decoded" to good.copy(photos = listOf(good.photos[0].copy(sizeBytes = 1L shl 40))),
            "choose from onnxruntime, litert" to good.copy(runtime = "abacus"),
            "is not stored" to good.copy(modelPath = "models/$identity/other.onnx"),
            "its preprocessing makes" to good.copy(preprocess = Photos.PREPROCESS.copy(imageSize = 5)),
        )) {
            noThroughput(FailureCode.BAD_JOB, word, wrong)
        }
        noThroughput(FailureCode.PATH_OUTSIDE, "leaves", good.copy(photos = listOf(good.photos[0].copy(path = "../0.jpg"))))
        noThroughput(FailureCode.PATH_OUTSIDE, "the same", good.copy(photos = good.photos + good.photos))
        noThroughput(FailureCode.MODEL_ALTERED, "was not pushed", good.copy(photos = listOf(good.photos[0].copy(path = "run/2.jpg"))))
        noThroughput(FailureCode.MODEL_ALTERED, "push it again", throughputJob("run/0.jpg" to "RED"))
        noThroughput(FailureCode.ACCELERATOR_MISSING, "no gpu", good.copy(accelerator = "gpu"))
        val fallingBack = program(FakeRuntime.withNpu(observed = { "cpu" }))
        noThroughput(FailureCode.ACCELERATOR_FALLBACK, "and cpu executed", good.copy(accelerator = "npu"), fallingBack)
        noThroughput(FailureCode.PHOTOS_UNREADABLE, "none of the 1 photographs", throughputJob("run/1.jpg" to "damaged"))
        val failing = program(FakeRuntime(beforeRun = FakeRuntime.failing(2)))
        noThroughput(FailureCode.INFERENCE_FAILED, "it broke", good, failing)
        val spoilt = program(FakeRuntime(alter = { values, _ -> values.also { it[0] = Float.NaN } }))
        noThroughput(FailureCode.NON_FINITE_OUTPUT, "NaN", good, spoilt)
        conditions = Conditions(19, false, false, 0)
        noThroughput(FailureCode.LOW_BATTERY, "19 %", good)
        conditions = Conditions(80, true, false, 2)
        noThroughput(FailureCode.THERMAL, "cool down", good)
        conditions = Conditions(80, true, false, 0)
        File(internal, "models/$identity/model.onnx").writeText("a model, altered")
        noThroughput(FailureCode.MODEL_ALTERED, "stage it again", good)
    }

    @Test
    fun `requests that nothing can be answered to`() {
        for ((action, path) in listOf("dance" to null, "measure" to null, "measure" to "../job.json", "measure" to "job.json", "stage" to "/sdcard/x/job.json")) {
            val error = assertThrows(InputException::class.java) { program().run(action, path) }
            assertTrue(error.message.orEmpty().isNotEmpty())
        }
        File(external, "facts").writeText("a file where the folder belongs")
        assertThrows(MachineException::class.java) { program().run("facts", null) }
        assertNotNull(external.list())
    }
}
