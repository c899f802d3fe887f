package org.pocketclip.core.tokenizer

/**
 * Lower case by Unicode's rules, of no language in particular, as Python has it.
 *
 * Java and Android each have a rule of their own for the sigma that ends a word; so it is decided here.
 */
internal object LowerCase {
    private const val CAPITAL_SIGMA = 0x03A3
    private const val SIGMA = 0x03C3
    private const val FINAL_SIGMA = 0x03C2
    private const val DOTTED_CAPITAL_I = 0x0130
    private const val DOTTED_I = "i\u0307"

    // Of Unicode's word boundaries: what may stand inside of a word (MidLetter, MidNumLet, Single_Quote).
    private val INSIDE_WORDS =
        "'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A".map { it.code }.toSet()
    private val IGNORABLE_TYPES = setOf(
        Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT, Character.MODIFIER_LETTER,
        Character.MODIFIER_SYMBOL,
    ).map { it.toInt() }.toSet()

    fun of(text: String): String {
        val points = text.codePoints().toArray()
        val made = StringBuilder(text.length)
        for ((place, point) in points.withIndex()) {
            when (point) {
                DOTTED_CAPITAL_I -> made.append(DOTTED_I)
                CAPITAL_SIGMA -> made.appendCodePoint(if (endsWord(points, place)) FINAL_SIGMA else SIGMA)
                else -> made.appendCodePoint(Character.toLowerCase(point))
            }
        }
        return made.toString()
    }

    /** A letter with case is before, and none after; marks and the like between them do not count. */
    private fun endsWord(points: IntArray, place: Int): Boolean {
        val before = (place - 1 downTo 0).firstOrNull { !isIgnorable(points[it]) }
        val after = (place + 1 until points.size).firstOrNull { !isIgnorable(points[it]) }
        return before != null && isCased(points[before]) && (after == null || !isCased(points[after]))
    }

    private fun isIgnorable(point: Int): Boolean = Character.getType(point) in IGNORABLE_TYPES || point in INSIDE_WORDS

    private fun isCased(point: Int): Boolean =
        Character.isUpperCase(point) || Character.isLowerCase(point) || Character.isTitleCase(point)
}
