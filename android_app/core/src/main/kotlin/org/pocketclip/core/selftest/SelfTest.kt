package org.pocketclip.core.selftest

import kotlin.math.abs
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledModel
import org.pocketclip.core.bundle.BundledTower
import org.pocketclip.core.bundle.GoldenRanking
import org.pocketclip.core.bundle.Tolerance
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.RunningTower
import org.pocketclip.core.inference.TextEncoder
import org.pocketclip.core.ranking.Prompts
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor
import org.pocketclip.core.tokenizer.BundleTokenizer

/**
 * Runs preprocessing, tokenizer, both towers and label ranking on a bundle's golden data: what runs as a tower on a phone
 * with the chip [soc], its variant for the NPU where that runs.
 *
 * The golden outputs were computed elsewhere: a phone's runtime and processor are always others, so that `other` of the
 * tolerances holds, and `reference`, the stricter one.
 */
class SelfTest(
    private val bundle: Bundle,
    private val runtimes: List<InferenceRuntime>,
    private val soc: String? = null,
) {
    private val manifest = bundle.manifest
    private val end = manifest.endToEnd

    /**
     * Runs all checks; towers that give what they should not are failed checks.
     *
     * @param progress called with a few words before each part.
     * @throws org.pocketclip.core.ExecutionException a tower cannot be loaded or run at all.
     * @throws org.pocketclip.core.BundleException the tokenizer's data does not fit together.
     */
    fun run(options: LoadOptions = LoadOptions(), progress: (String) -> Unit = {}): SelfTestReport {
        val notes = mutableListOf<String>()
        progress("image tower")
        val images = imageChecks(options, notes)
        progress("text tower")
        val texts = textChecks(options, notes)
        return SelfTestReport(bundle.sha256, manifest.model.name, images + texts, notes)
    }

    private fun imageChecks(options: LoadOptions, notes: MutableList<String>): List<Check> = buildList {
        val input = ImageInput(manifest.preprocess, manifest.image.input)
        val inputs = inputsOf(manifest.image)
        val error = inputs.zip(bundle.samples(end.preprocessed)).maxOf { (found, wanted) -> steps(found, wanted, input) }
        add(
            Check(
                IMAGE, "preprocessing, steps of 8 bits", inputs.size, error, Limit.AT_MOST, end.pixelTolerance,
                "the rounding of a resampling filter",
            ),
        )
        val running = opened(Tower.IMAGE, options, notes)
        val model = running.model
        running.session.use { session ->
            addAll(towerChecks(bundle, IMAGE, model, session))
            val own = if (model.input == manifest.image.input) inputs else inputsOf(model)
            val found = embedded(session, own)
            val wanted = bundle.rows(end.imageEmbeddings)
            val (tolerance, basis) = wider(model, manifest.image)
            addAll(comparison(IMAGE, "photographs", found, wanted, tolerance, basis))
            addAll(rankingChecks(found, wanted, tolerance, basis))
        }
    }

    private fun rankingChecks(found: Embedded, golden: List<FloatArray>, tolerance: Tolerance, basis: String): List<Check> {
        val labels = manifest.labels?.let { bundle.rows(it.embeddings) } ?: return emptyList()
        return end.images.withIndex().mapNotNull { (place, image) ->
            val ranking = image.ranking ?: return@mapNotNull null
            val cosines = labels.map { Ranking.cosine(golden[place], it) }
            val row = found.rows?.get(place)?.takeIf { it.size == labels[0].size }
            val order = row?.let { embedding -> Ranking.rank(embedding, labels, 1.0).map { it.place } }
            rankingCheck(image.name, ranking, order, cosines, tolerance, basis)
        }
    }

    /**
     * How far apart the golden cosines of labels are that stand in each other's places; 0 where the order is the same.
     *
     * An embedding that moves by d changes each cosine by at most d, so labels may change places where their golden cosines
     * are within 2 d of each other.
     */
    private fun rankingCheck(
        name: String,
        golden: GoldenRanking,
        order: List<Int>?,
        cosines: List<Double>,
        tolerance: Tolerance,
        basis: String,
    ): Check {
        val bound = 2 * kotlin.math.sqrt(2 * maxOf(0.0, 1 - tolerance.cosineMin))
        // The golden order too: labels or their embeddings may not be those that it was made with.
        val value = order?.let { places ->
            golden.places.indices.maxOfOrNull { rank ->
                val stands = golden.cosines[rank]
                maxOf(abs(cosines[places[rank]] - stands), abs(cosines[golden.places[rank]] - stands))
            } ?: 0.0
        }
        val note = if (value == null) "there is no embedding to rank" else null
        return Check("labels", "order for $name", golden.places.size, value, Limit.AT_MOST, bound, basis, note)
    }

    private fun textChecks(options: LoadOptions, notes: MutableList<String>): List<Check> = buildList {
        val tokenizer = TextEncoder.tokenizer(bundle)
        val golden = bundle.samples(end.tokenIds)
        val wrong = end.sentences.indices.filter { !tokenizer.ids(end.sentences[it]).contentEquals(golden[it].ints()) }
        add(
            Check(
                TEXT, "sentences with other ids", end.sentences.size, wrong.size.toDouble(), Limit.AT_MOST, 0.0,
                "ids are exact", wrong.firstOrNull()?.let { "first: '${end.sentences[it]}'" },
            ),
        )
        val running = opened(Tower.TEXT, options, notes)
        running.session.use { session ->
            addAll(towerChecks(bundle, TEXT, running.model, session))
            val wanted = bundle.rows(end.sentenceEmbeddings)
            val (tolerance, basis) = wider(running.model, manifest.text)
            addAll(comparison(TEXT, "sentences", embedded(session, golden), wanted, tolerance, basis))
            addAll(labelChecks(session, tokenizer, tolerance, basis))
        }
    }

    private fun opened(tower: Tower, options: LoadOptions, notes: MutableList<String>): RunningTower =
        RunningTower.open(bundle, tower, runtimes, options, soc).also { running -> running.whyNotNpu?.let(notes::add) }

    /** The data of the whole way was made by the tower for the processor: two models are within twice the wider budget. */
    private fun wider(model: BundledModel, plain: BundledTower): Pair<Tolerance, String> {
        if (model == plain) return plain.tolerances.other to basis(plain)
        val (one, other) = model.tolerances.other to plain.tolerances.other
        return Tolerance(minOf(one.cosineMin, other.cosineMin), maxOf(one.maxAbs, other.maxAbs)) to
            "another precision: twice the wider budget"
    }

    private fun inputsOf(model: BundledModel): List<Tensor> {
        val input = ImageInput(manifest.preprocess, model.input)
        return end.images.map { input.of(image(it.pixels.shape, bundle.tensor(it.pixels))) }
    }

    private fun labelChecks(session: Session, tokenizer: BundleTokenizer, tolerance: Tolerance, basis: String): List<Check> {
        val labels = manifest.labels ?: return emptyList()
        val names = labels.names.take(LABELS_REPEATED)
        val prompts = Prompts(manifest.templates)
        val repeated = names.map { name -> embedded(session, prompts.of(name).map(tokenizer::input)) }
        val failed = repeated.firstOrNull { it.rows == null }
        val found = failed ?: Embedded(repeated.map { Prompts.mean(checkNotNull(it.rows)) }, null)
        val stored = bundle.rows(labels.embeddings).take(names.size)
        return comparison(TEXT, "label embeddings", found, stored, tolerance, basis)
    }

    private fun steps(found: Tensor, wanted: Tensor, input: ImageInput): Double {
        val (first, second) = values(found) to values(wanted)
        return first.indices.maxOf { abs(first[it] - second[it]) / input.stepSizes[input.channel(it)] }
    }

    private fun values(tensor: Tensor): DoubleArray = when (tensor.type) {
        ElementType.FLOAT32 -> tensor.floats().let { floats -> DoubleArray(floats.size) { floats[it].toDouble() } }
        else -> Bundle.integers(tensor).let { whole -> DoubleArray(whole.size) { whole[it].toDouble() } }
    }

    private fun image(shape: List<Int>, pixels: Tensor): RgbImage =
        RgbImage(shape[1], shape[0], ByteArray(pixels.size).also { pixels.bytes().get(it) })

    private companion object {
        const val IMAGE = "image"
        const val TEXT = "text"

        // So many labels are embedded again, each through all templates.
        const val LABELS_REPEATED = 2
    }
}
