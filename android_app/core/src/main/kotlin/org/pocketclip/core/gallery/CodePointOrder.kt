package org.pocketclip.core.gallery

/** Texts by their code points, as Python and UTF-8 order them. UTF-16, which Kotlin compares, differs above U+D800. */
internal object CodePointOrder : Comparator<String> {
    override fun compare(first: String, second: String): Int {
        val length = minOf(first.length, second.length)
        for (place in 0 until length) {
            if (first[place] != second[place]) return weight(first[place]) - weight(second[place])
        }
        return first.length - second.length
    }

    /** Surrogates stand for the code points that come last. */
    private fun weight(unit: Char): Int = if (unit.isSurrogate()) unit.code + Char.MAX_VALUE.code else unit.code
}
