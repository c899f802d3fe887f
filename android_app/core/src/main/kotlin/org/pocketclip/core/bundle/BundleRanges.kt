package org.pocketclip.core.bundle

import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.runtime.Tensor

/**
 * What each field of a manifest may hold: hashes, paths, and the ranges of numbers, the same as in Python
 * (`models/untrusted`, `export/bundle/manifest.py`). Nothing is allocated or unpacked before it has passed.
 */
internal class BundleRanges(private val source: String, private val manifest: Manifest) {
    fun check() {
        hashes().firstOrNull { (_, hash) -> !HASH.matches(hash) }?.let { (place, hash) ->
            throw BundleHostileException(
                "$source: $place must be 64 hex digits in lower case (got ${SafePaths.quoted(hash)}); do not use this bundle",
            )
        }
        paths().firstNotNullOfOrNull { (place, path) -> SafePaths.fault(path)?.let { Triple(place, path, it) } }
            ?.let { (place, path, fault) ->
                throw BundleHostileException(
                    "$source: $place is ${SafePaths.quoted(path)}, which $fault; do not use this bundle",
                )
            }
        faults().firstOrNull { (wrong, _) -> wrong }?.let { (_, words) ->
            throw BundleMalformedException("$source: $words; make the bundle again")
        }
        checkSizes()
        checkTensors()
    }

    private fun checkSizes() {
        val most = Bundle.MAXIMUM_UNPACKED_BYTES
        manifest.files.firstOrNull { it.sizeBytes !in 0..most }?.let {
            throw BundleHostileException(
                "$source lists ${SafePaths.quoted(it.path)} with an impossible size, ${it.sizeBytes}; do not use this bundle",
            )
        }
        val total = manifest.files.sumOf { it.sizeBytes }
        if (total > most) throw BundleHostileException("$source lists $total bytes, at most $most are read; do not use this bundle")
    }

    private val models: List<Pair<String, BundledModel>> =
        listOf("image" to manifest.image, "text" to manifest.text) +
            manifest.variants.mapIndexed { place, variant -> "variants[$place]" to variant }

    private fun hashes(): List<Pair<String, String>> = listOf(
        "model.config_sha256" to manifest.model.configSha256,
        "model.weights_sha256" to manifest.model.weightsSha256,
    ) + models.map { (name, model) -> "$name.artifact_sha256" to model.artifactSha256 } +
        manifest.files.map { "the hash of ${SafePaths.quoted(it.path)}" to it.sha256 }

    private fun paths(): List<Pair<String, String>> =
        models.map { (name, model) -> "$name.entry_point" to model.entryPoint } + manifest.tensors.map { "a tensor's file" to it.file }

    private fun faults(): List<Pair<Boolean, String>> {
        val model = manifest.model
        val tokenizer = manifest.tokenizer
        val specs = models.flatMap { (_, each) -> listOf(each.input, each.output) }
        val tolerances = models.flatMap { (_, each) ->
            listOfNotNull(each.tolerances.same, each.tolerances.other, each.tolerances.reference)
        }
        val parities = models.mapNotNull { (_, each) -> each.parity }
        val rankings = manifest.endToEnd.images.mapNotNull { it.ranking }
        val ids = listOf(tokenizer.startId, tokenizer.endId, tokenizer.padId) + tokenizer.specialTexts.map { it.id }
        return listOf(
            (model.parameters < 0) to "parameters are negative",
            (model.embeddingDim !in SIDES) to "embedding_dim must be from 1 to ${SIDES.last}, got ${model.embeddingDim}",
            !(model.logitScale > 0 && model.logitScale <= MOST_SCALE) to
                "logit_scale must be above 0 and at most $MOST_SCALE, got ${model.logitScale}",
            manifest.tensors.map { it.shape }.plus(specs.map { it.shape }).any { !isShape(it) } to
                "a tensor has a shape of no or more than $MOST_SIDES sides, or a side that is not from 1 to ${SIDES.last}",
            specs.any { it.dtype !in TYPES || !LAYOUT.matches(it.layout) } to
                "a tower has a type other than $TYPES or a layout that is not a capital letter for each axis",
            models.any { (_, each) -> each.minimumIos?.let { it !in 1..MOST_SYSTEM } ?: false } to
                "minimum_ios must be from 1 to $MOST_SYSTEM",
            (manifest.variants.size > MOST_VARIANTS) to "there are more than $MOST_VARIANTS variants",
            manifest.variants.any { !CHIP.matches(it.soc) || !SDK.matches(it.sdk) } to
                "a variant has no name of a chip such as SM8650, or no version of Qualcomm's libraries",
            manifest.variants.any { it.graphs < 0 || it.onCpu < 0 } to "a variant has a negative count",
            tolerances.any { it.cosineMin !in 0.0..1.0 || !(it.maxAbs > 0 && it.maxAbs <= 2) } to
                "a tolerance must have a cosine_min from 0 to 1 and a max_abs above 0 and at most 2",
            parities.any { it.samples < 0 || it.cosineMean !in COSINES || it.cosineMin !in COSINES } to
                "a parity has a negative count or a cosine that is none",
            parities.any { it.top1Agreement !in 0.0..1.0 } to "top1_agreement must be from 0 to 1",
            rankings.any { each -> each.cosines.any { it !in COSINES } || each.probabilities.any { it !in 0.0..1.0 } } to
                "a golden ranking has a cosine or a probability that is none",
            rankings.any { each -> each.places.any { it < 0 } } to "a golden ranking has a negative place",
            (manifest.endToEnd.pixelTolerance !in 0.0..MOST_STEP) to "pixel_tolerance must be from 0 to $MOST_STEP",
            (tokenizer.contextLength !in LEAST_CONTEXT..SIDES.last) to "context_length must be from $LEAST_CONTEXT to ${SIDES.last}",
            (tokenizer.vocabularySize !in LEAST_CONTEXT..FULL_VOCABULARY) to
                "vocabulary_size must be from $LEAST_CONTEXT to $FULL_VOCABULARY",
            ids.any { it !in 0 until FULL_VOCABULARY } to "start_id, end_id, pad_id and ids of special texts must be from 0 to ${FULL_VOCABULARY - 1}",
            tokenizer.specialTexts.any { it.text.isEmpty() } to "a special text is empty",
            (tokenizer.specialTexts.size > MOST_SPECIALS) to "there are more than $MOST_SPECIALS special texts",
            (tokenizer.cleaning.size > MOST_STEPS) to "there are more than $MOST_STEPS steps of cleaning",
            (tokenizer.pattern.length > LONGEST_PATTERN || !PATTERN.matches(tokenizer.pattern)) to
                "the tokenizer's pattern must be alternatives of characters, classes and categories, of which the last " +
                "one may be followed by +",
        )
    }

    /** Sizes as they are listed, so that nothing larger is unpacked or given memory. */
    private fun checkTensors() {
        val sizes = manifest.files.associate { it.path to it.sizeBytes }
        for (tensor in manifest.tensors) {
            val size = sizes[tensor.file] ?: continue
            // Sides are small by now, but eight of them may be too many for 64 bits.
            val wanted = try {
                Math.multiplyExact(Tensor.count(tensor.shape), tensor.dtype.bytes.toLong())
            } catch (_: ArithmeticException) {
                Long.MAX_VALUE
            }
            if (size != wanted || wanted > MOST_TENSOR_BYTES) {
                throw BundleCorruptException(
                    "$source: ${tensor.file} is listed with $size bytes; ${tensor.dtype.id} ${tensor.shape} takes $wanted, " +
                        "and at most $MOST_TENSOR_BYTES are read; make the bundle again",
                )
            }
        }
    }

    companion object {
        /** Of one tensor: all of them are read when a bundle is opened. */
        const val MOST_TENSOR_BYTES = 64L shl 20
        const val FULL_VOCABULARY = 49_408

        private val HASH = Regex("[0-9a-f]{64}")
        private val SIDES = 1..(1 shl 24)
        private const val MOST_SIDES = 8
        private const val MOST_SCALE = 1e6

        // A little beyond 1: that is what single precision makes of vectors of length 1.
        private val COSINES = -1.001..1.001
        private val TYPES = listOf("uint8", "int32", "float32")
        private val LAYOUT = Regex("[A-Z]{1,8}")
        private const val MOST_SYSTEM = 1000
        private const val MOST_VARIANTS = 256
        private val CHIP = Regex("[A-Z]{2,3}[0-9]{3,5}[A-Z]{0,3}")
        private val SDK = Regex("v?[0-9][0-9.]{0,40}")
        private const val MOST_STEP = 255.0
        private const val LEAST_CONTEXT = 3
        private const val MOST_SPECIALS = 64
        private const val MOST_STEPS = 16
        private const val LONGEST_PATTERN = 1000

        // `SPLITTING` in export/bundle/manifest.py: no groups, nothing empty, no way back over text.
        private const val CATEGORY = "\\\\[pP]\\{[CLMNPSZ][a-z]?\\}|\\\\[sS]"
        private const val ATOM = "(?:[^\\\\\\[\\](){}|*+?^\$.]|$CATEGORY|\\[\\^?(?:[^\\\\\\[\\]^&~|-]|$CATEGORY)+\\])"
        private val PATTERN = Regex("$ATOM+\\+?(?:\\|$ATOM+\\+?)*")

        private fun isShape(shape: List<Int>): Boolean = shape.size in 1..MOST_SIDES && shape.all { it in SIDES }
    }
}
