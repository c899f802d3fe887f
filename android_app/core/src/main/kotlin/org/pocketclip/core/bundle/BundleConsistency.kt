package org.pocketclip.core.bundle

import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.ElementType

/** What the manifest's form cannot say: that its parts are about one model, and that shapes follow from each other. */
internal class BundleConsistency(private val path: String, private val manifest: Manifest) {
    fun check() {
        shapes().firstOrNull { !it.fits }?.let {
            throw BundleMalformedException(
                "$path: ${it.tensor.file} is ${it.tensor.dtype.id} ${it.tensor.shape} where ${it.type} ${it.shape} belongs; " +
                    "make the bundle again",
            )
        }
        faults().firstOrNull { (wrong, _) -> wrong }?.let { (_, words) ->
            throw BundleMalformedException("$path: $words; make the bundle again")
        }
        try {
            (listOf(manifest.image) + manifest.variantsOf(Tower.IMAGE)).forEach { ImageInput(manifest.preprocess, it.input) }
        } catch (error: BundleMalformedException) {
            throw BundleMalformedException("$path: ${error.message}", error)
        }
    }

    private class Expected(val tensor: StoredTensor, val shape: List<Int>, val type: String) {
        val fits: Boolean get() = tensor.shape == shape && tensor.dtype.id == type && shape.all { it > 0 }
    }

    private fun shapes(): List<Expected> = buildList {
        val end = manifest.endToEnd
        val width = manifest.model.embeddingDim
        val floats = ElementType.FLOAT32.id
        val image = manifest.image.input
        add(Expected(end.preprocessed, listOf(end.images.size) + image.shape.drop(1), image.dtype))
        add(Expected(end.imageEmbeddings, listOf(end.images.size, width), floats))
        add(Expected(end.tokenIds, listOf(end.sentences.size, manifest.tokenizer.contextLength), ElementType.INT32.id))
        add(Expected(end.sentenceEmbeddings, listOf(end.sentences.size, width), floats))
        end.images.forEach { add(Expected(it.pixels, it.pixels.shape.take(2) + 3, ElementType.UINT8.id)) }
        add(Expected(manifest.tokenizer.merges, listOf(MERGES, 2), ElementType.UINT16.id))
        for (model in manifest.models) {
            val samples = model.golden.inputs.shape.take(1)
            add(Expected(model.golden.inputs, samples + model.input.shape.drop(1), model.input.dtype))
            add(Expected(model.golden.reference, samples + width, floats))
            add(Expected(model.golden.outputs, samples + width, floats))
        }
        manifest.labels?.let { add(Expected(it.embeddings, listOf(it.names.size, width), floats)) }
        manifest.tokenizer.keptIds?.let {
            add(Expected(it, listOf(manifest.tokenizer.vocabularySize), ElementType.UINT16.id))
        }
    }

    private fun faults(): List<Pair<Boolean, String>> {
        val tokenizer = manifest.tokenizer
        val labels = manifest.labels
        val texts = listOf(manifest.text) + manifest.variantsOf(Tower.TEXT)
        val ids = 0 until tokenizer.vocabularySize
        val rankings = manifest.endToEnd.images.mapNotNull { it.ranking }
        return listOf(
            (manifest.models.map { it.normalized }.distinct().size > 1) to "one tower gives raw embeddings, the other not",
            texts.any { it.input.shape != listOf(1, tokenizer.contextLength) } to "the text tower takes another context length",
            texts.any { it.input.dtype != ElementType.INT32.id } to "the text tower takes other ids than int32",
            (tokenizer.contextLength < MINIMUM_CONTEXT) to "context_length has no room for start, a token and end",
            manifest.models.any { it.output.shape != listOf(1, manifest.model.embeddingDim) } to
                "a tower's output is not the model's embedding",
            (tokenizer.byteOrder.sorted() != (0 until BYTES).toList()) to "byte_order is not the 256 bytes in some order",
            (tokenizer.startId != tokenizer.vocabularySize - 2 || tokenizer.endId != tokenizer.vocabularySize - 1) to
                "start and end are not the last two ids",
            (tokenizer.padId !in ids) to "pad_id is no id",
            (tokenizer.keptIds == null && tokenizer.vocabularySize != FULL_VOCABULARY) to
                "vocabulary_size is not that of the whole vocabulary, and kept_ids is missing",
            tokenizer.specialTexts.any { it.id !in 0 until FULL_VOCABULARY || it.text.isEmpty() } to
                "a special text has no place in the vocabulary",
            (labels != null && labels.names.isEmpty()) to "the label list is empty",
            (labels != null && labels.names.distinct().size != labels.names.size) to "a label stands twice",
            manifest.templates.texts.isEmpty() to "there are no prompt templates",
            manifest.templates.texts.any { "{}" !in it } to "a template has no place for the label",
            (labels != null && rankings.any { ranking -> ranking.places.any { it !in labels.names.indices } }) to
                "a golden ranking names a label that does not exist",
            rankings.any { it.places.size != it.cosines.size || it.places.size != it.probabilities.size } to
                "a golden ranking has other numbers of places, cosines and probabilities",
            (manifest.model.logitScale <= 0) to "logit_scale is not positive",
            !manifest.models.all(::liesAlone) to "a model has no folder of its own",
        ) + variantFaults()
    }

    /** Whether a model lies in a folder without tensors: what lies there is its size, and is sent to phones. */
    private fun liesAlone(model: BundledModel): Boolean {
        val folder = "${model.place}/"
        return model.entryPoint.startsWith(folder) && manifest.tensors.none { it.file.startsWith(folder) }
    }

    private fun variantFaults(): List<Pair<Boolean, String>> {
        val variants = manifest.variants
        return listOf(
            (variants.isEmpty() != (manifest.schemaVersion == PLAIN_SCHEMA_VERSION)) to
                "variants belong to schema version $BUNDLE_SCHEMA_VERSION, and to no other",
            variants.any { it.target !in QNN_TARGETS || RUNTIMES[it.target] != it.runtime } to
                "a variant for a chip is of a target that prepares no graphs for chips",
            (variants.isNotEmpty() && listOf(manifest.image, manifest.text).any { it.target in QNN_TARGETS }) to
                "a tower runs on single chips alone",
            (variants.distinctBy { Triple(it.tower, it.soc, it.target) }.size != variants.size) to
                "two variants are for the same chip and runtime",
            (variants.isNotEmpty() && manifest.models.distinctBy { it.place }.size != manifest.models.size) to
                "two models lie in one folder",
            variants.any { it.graphs != 1 || it.onCpu != 0 } to "a variant leaves a part of its tower to the CPU",
        )
    }

    private companion object {
        const val BYTES = 256
        const val FULL_VOCABULARY = BundleRanges.FULL_VOCABULARY
        const val MERGES = FULL_VOCABULARY - 2 * BYTES - 2
        const val MINIMUM_CONTEXT = 3
        val RUNTIMES = mapOf("onnx-qnn" to "onnxruntime", "executorch-qnn" to "executorch", "tflite-qnn" to "litert")
        val QNN_TARGETS = RUNTIMES.keys
    }
}
