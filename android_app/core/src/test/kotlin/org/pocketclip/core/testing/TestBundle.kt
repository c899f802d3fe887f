package org.pocketclip.core.testing

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bundle.Articles
import org.pocketclip.core.bundle.BUNDLE_NAME
import org.pocketclip.core.bundle.BundledTower
import org.pocketclip.core.bundle.EndToEnd
import org.pocketclip.core.bundle.Execution
import org.pocketclip.core.bundle.GoldenImage
import org.pocketclip.core.bundle.GoldenRanking
import org.pocketclip.core.bundle.Interpolation
import org.pocketclip.core.bundle.LabelSet
import org.pocketclip.core.bundle.LicenceNote
import org.pocketclip.core.bundle.Manifest
import org.pocketclip.core.bundle.ModelIdentity
import org.pocketclip.core.bundle.NpuVariant
import org.pocketclip.core.bundle.ParitySummary
import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.PromptTemplates
import org.pocketclip.core.bundle.ResizeMode
import org.pocketclip.core.bundle.StoredTensor
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.bundle.Tolerance
import org.pocketclip.core.bundle.TowerGolden
import org.pocketclip.core.bundle.TowerTolerances
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.ranking.Prompts
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Tensor

/** Writes a whole, sound bundle around [FakeRuntime]'s formula; free to be damaged. */
class TestBundle(val folder: File, private val bytesInput: Boolean = false) {
    private val tokenizer = Goldens.tokenizer("pruned")
    private val tolerance = TowerTolerances(Tolerance(0.999999, 1e-5), Tolerance(0.9999, 1e-3), Tolerance(0.99999, 1e-4))

    fun write(): TestBundle {
        folder.mkdirs()
        val preprocess = PreprocessSpec(SIZE, ResizeMode.SHORTEST, Interpolation.BILINEAR, List(3) { 0.0 }, List(3) { 1.0 })
        val type = if (bytesInput) "uint8" else "float32"
        val imageSpec = TensorSpec("image", listOf(1, 3, SIZE, SIZE), type, "NCHW", 0.0, if (bytesInput) 255.0 else 1.0)
        val input = ImageInput(preprocess, imageSpec)
        val images = listOf("wide" to picture(40, 23), "tall" to picture(17, 52))
        val inputs = images.map { (_, image) -> input.of(image) }
        val seen = inputs.map { Ranking.normalized(FakeRuntime.formula(it)) }
        val sentenceIds = SENTENCES.map(tokenizer::input)
        val templates = PromptTemplates("test", listOf("a photo of a {}.", "this is a {}"), Articles.ENGLISH)
        val prompts = Prompts(templates)
        val labels = LABELS.map { label ->
            Prompts.mean(prompts.of(label).map { Ranking.normalized(FakeRuntime.formula(tokenizer.input(it))) })
        }
        FakeRuntime.writeModel(File(folder, "image/model.onnx"))
        FakeRuntime.writeModel(File(folder, "text/model.onnx"))
        val spec = Goldens.tokenizerSpec("pruned")
        copyGolden(spec.merges.file)
        copyGolden(checkNotNull(spec.keptIds).file)
        val manifest = Manifest(
            schemaVersion = 1,
            createdAt = "2026-01-01T00:00:00+00:00",
            generator = "test",
            model = ModelIdentity("tiny", "c".repeat(64), "d".repeat(64), 1, FakeRuntime.DIMENSION, 100.0),
            image = tower("image", imageSpec, inputs),
            text = tower("text", TensorSpec("ids", listOf(1, spec.contextLength), "int32", "NT", 0.0, 1e5), sentenceIds),
            preprocess = preprocess,
            tokenizer = spec,
            templates = templates,
            labels = LabelSet(LABELS, store("labels/embeddings.bin", labels)),
            endToEnd = EndToEnd(
                images = images.mapIndexed { place, (name, image) -> golden(name, image, seen[place], labels) },
                preprocessed = storeTensors("golden/preprocessed.bin", inputs),
                imageEmbeddings = store("golden/image_embeddings.bin", seen),
                sentences = SENTENCES,
                tokenIds = storeTensors("golden/token_ids.bin", sentenceIds),
                sentenceEmbeddings = store(
                    "golden/sentence_embeddings.bin",
                    sentenceIds.map { Ranking.normalized(FakeRuntime.formula(it)) },
                ),
                pixelTolerance = 1.0,
            ),
            licences = listOf(LicenceNote("weights", "unknown", null, "test")),
            files = emptyList(),
        )
        writeManifest(manifest)
        return this
    }

    /** Adds variants of both towers for chips, with other files and the towers' golden tensors. */
    fun withVariants(vararg socs: String, target: String = "onnx-qnn", runtime: String = "onnxruntime"): TestBundle {
        val manifest = Documents.read(Manifest.serializer(), File(folder, BUNDLE_NAME).readText(), BUNDLE_NAME)
        val variants = Tower.entries.flatMap { tower -> socs.map { variant(manifest.tower(tower), tower, it, target, runtime) } }
        variants.forEach { FakeRuntime.writeModel(File(folder, it.entryPoint)) }
        writeManifest(manifest) { it.copy(schemaVersion = 2, variants = it.variants + variants) }
        return this
    }

    private fun variant(plain: BundledTower, tower: Tower, soc: String, target: String, runtime: String): NpuVariant {
        val chip = soc.lowercase()
        return NpuVariant(
            target, "w8a16-static", runtime, "QNN 2.49", null,
            "${if (tower == Tower.IMAGE) "image" else "text"}-$target-$chip/contexts/$chip.onnx", plain.input, plain.output,
            plain.normalized, emptyMap(), "e".repeat(64), plain.parity, Execution("emulator", "emulated", emptyList()),
            tolerance, plain.golden, "$target-w8a16-static", tower, soc, "v2.49.40.260810104044", graphs = 1, onCpu = 0,
        )
    }

    /** Writes a manifest that lists what is in the folder now, with changes. */
    fun writeManifest(manifest: Manifest, change: (Manifest) -> Manifest = { it }) {
        val files = folder.walk().filter { it.isFile && it.name != BUNDLE_NAME }.map {
            FileEntry(it.relativeTo(folder).invariantSeparatorsPath, it.length(), Hashing.sha256(it))
        }.sortedBy { it.path }.toList()
        File(folder, BUNDLE_NAME).writeText(Documents.write(Manifest.serializer(), change(manifest.copy(files = files))))
    }

    /** Changes the manifest, hashes made anew first. */
    fun edit(change: (Manifest) -> Manifest) {
        val file = File(folder, BUNDLE_NAME)
        writeManifest(Documents.read(Manifest.serializer(), file.readText(), BUNDLE_NAME), change)
    }

    private fun tower(name: String, input: TensorSpec, inputs: List<Tensor>): BundledTower {
        val outputs = inputs.map(FakeRuntime::formula)
        return BundledTower(
            target = "onnx",
            precision = "fp32",
            runtime = "onnxruntime",
            requires = null,
            minimumIos = null,
            entryPoint = "$name/model.onnx",
            input = input,
            output = TensorSpec("embedding", listOf(1, FakeRuntime.DIMENSION), "float32", "NC", -1e3, 1e3),
            normalized = false,
            versions = mapOf("onnx" to "1"),
            artifactSha256 = (if (name == "image") "a" else "b").repeat(64),
            parity = ParitySummary(1, 1.0, 1.0, 1.0, emptyList()),
            executedBy = Execution("onnxruntime 1", "x86_64", listOf("avx2")),
            tolerances = tolerance,
            golden = TowerGolden(
                inputs = storeTensors("golden/${name}_inputs.bin", inputs),
                reference = store("golden/${name}_reference.bin", outputs),
                outputs = store("golden/${name}_outputs.bin", outputs),
            ),
        )
    }

    private fun golden(name: String, image: RgbImage, seen: FloatArray, labels: List<FloatArray>): GoldenImage {
        val pixels = File(folder, "golden/$name.rgb").apply { parentFile.mkdirs() }
        pixels.writeBytes(image.pixels)
        val ranked = Ranking.rank(seen, labels, 100.0)
        val ranking = GoldenRanking(ranked.map { it.place }, ranked.map { it.cosine }, ranked.map { it.probability })
        return GoldenImage(name, StoredTensor("golden/$name.rgb", listOf(image.height, image.width, 3), ElementType.UINT8), ranking)
    }

    private fun copyGolden(path: String) {
        File(Goldens.folder, path).copyTo(File(folder, path), overwrite = true)
    }

    private fun store(path: String, rows: List<FloatArray>): StoredTensor {
        val bytes = ByteBuffer.allocate(rows.size * rows[0].size * 4).order(ByteOrder.LITTLE_ENDIAN)
        rows.forEach { row -> row.forEach(bytes::putFloat) }
        File(folder, path).apply { parentFile.mkdirs() }.writeBytes(bytes.array())
        return StoredTensor(path, listOf(rows.size, rows[0].size), ElementType.FLOAT32)
    }

    private fun storeTensors(path: String, tensors: List<Tensor>): StoredTensor {
        val target = File(folder, path).apply { parentFile.mkdirs() }
        target.outputStream().channel.use { channel -> tensors.forEach { channel.write(it.bytes()) } }
        return StoredTensor(path, listOf(tensors.size) + tensors[0].shape.drop(1), tensors[0].type)
    }

    companion object {
        const val SIZE = 16
        val LABELS = listOf("red circle", "orange square", "blue star")
        val SENTENCES = listOf("a photo of a cat", "", "two BLUE squares &amp; a 🚀")

        /** A picture that differs everywhere. */
        fun picture(width: Int, height: Int): RgbImage =
            RgbImage(width, height, ByteArray(width * height * 3) { (it * 37 % 251 + it / 97).toByte() })
    }
}
