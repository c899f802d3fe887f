package org.pocketclip.core.selftest

/** Which side of its bound a value must be on. */
enum class Limit { AT_LEAST, AT_MOST }

/**
 * One comparison.
 *
 * @property part `image`, `text` or `labels`.
 * @property samples how many were compared.
 * @property value the worst; null where nothing could be measured: [note] says why.
 * @property basis why the bound is what it is.
 */
data class Check(
    val part: String,
    val name: String,
    val samples: Int,
    val value: Double?,
    val limit: Limit,
    val bound: Double,
    val basis: String,
    val note: String? = null,
) {
    /** Whether the value was measured and is on the right side of its bound. */
    val passed: Boolean
        get() = value != null && if (limit == Limit.AT_LEAST) value >= bound else value <= bound
}

/**
 * What a self-test found.
 *
 * @property notes why towers do not run on the NPU, of which the bundle has variants; they are no failures.
 */
data class SelfTestReport(
    val bundleSha256: String,
    val model: String,
    val checks: List<Check>,
    val notes: List<String> = emptyList(),
) {
    /** Whether every check passed. */
    val passed: Boolean get() = checks.all { it.passed }
}
