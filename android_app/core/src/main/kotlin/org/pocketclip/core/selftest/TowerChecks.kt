package org.pocketclip.core.selftest

import kotlin.math.abs
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledModel
import org.pocketclip.core.bundle.Tolerance
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor

/** Normalised embeddings, or what went wrong. */
internal class Embedded(val rows: List<FloatArray>?, val fault: String?)

internal fun embedded(session: Session, inputs: List<Tensor>): Embedded = try {
    Embedded(inputs.map { Ranking.normalized(session.run(it)) }, null)
} catch (error: NonFiniteException) {
    Embedded(null, error.message)
}

/** What a model gives for its own golden inputs, against the golden outputs and against PyTorch's. */
internal fun towerChecks(bundle: Bundle, part: String, model: BundledModel, session: Session): List<Check> {
    val found = embedded(session, bundle.samples(model.golden.inputs))
    val outputs = bundle.rows(model.golden.outputs).map(Ranking::normalized)
    val checks = comparison(part, "golden outputs", found, outputs, model.tolerances.other, basis(model))
    val budget = model.tolerances.reference ?: return checks
    val reference = bundle.rows(model.golden.reference).map(Ranking::normalized)
    return checks + comparison(part, "PyTorch's outputs", found, reference, budget, "budget of ${model.precision}")
}

internal fun basis(model: BundledModel): String = "other runtime or processor: twice the budget of ${model.precision}"

internal fun comparison(
    part: String,
    name: String,
    found: Embedded,
    wanted: List<FloatArray>,
    tolerance: Tolerance,
    basis: String,
): List<Check> {
    val rows = found.rows
    val misfit = rows?.firstOrNull { it.size != wanted[0].size }
    val note = found.fault ?: misfit?.let { "an embedding has ${it.size} values, not ${wanted[0].size}" }
    val pairs = if (rows == null || misfit != null) null else rows.zip(wanted)
    val cosine = pairs?.minOf { (first, second) -> Ranking.cosine(first, second) }
    val error = pairs?.maxOf { (first, second) -> first.indices.maxOf { abs(first[it].toDouble() - second[it]) } }
    return listOf(
        Check(part, "$name: cosine", wanted.size, cosine, Limit.AT_LEAST, tolerance.cosineMin, basis, note),
        Check(part, "$name: error", wanted.size, error, Limit.AT_MOST, tolerance.maxAbs, basis, note),
    )
}
