package org.pocketclip.core.tokenizer

import java.text.Normalizer
import org.pocketclip.core.bundle.Cleaning

/**
 * The steps that text goes through before it is split.
 *
 * [Cleaning.FTFY] does all of what `ftfy.fix_text` 6 does but one thing: text that was decoded with a wrong encoding
 * (`schÃ¶n`) is left as it is, since people do not type such. Newer characters than the device's Unicode tables know are
 * not composed.
 */
internal object TextCleaning {
    private val TERMINAL_ESCAPE = Regex("\u001B\\[[0-9;]*[a-zA-Z]")
    private const val FULL_WIDTH_FIRST = '\uFF01'
    private const val FULL_WIDTH_LAST = '\uFFEF'
    private const val MAXIMUM_ROUNDS = 64

    private val LIGATURES = mapOf(
        'Ĳ' to "IJ", 'ĳ' to "ij", 'ŉ' to "ʼn", 'Ǳ' to "DZ", 'ǲ' to "Dz", 'ǳ' to "dz", 'Ǆ' to "DŽ", 'ǅ' to "Dž",
        'ǆ' to "dž", 'Ǉ' to "LJ", 'ǈ' to "Lj", 'ǉ' to "lj", 'Ǌ' to "NJ", 'ǋ' to "Nj", 'ǌ' to "nj", 'ﬀ' to "ff",
        'ﬁ' to "fi", 'ﬂ' to "fl", 'ﬃ' to "ffi", 'ﬄ' to "ffl", 'ﬅ' to "ſt", 'ﬆ' to "st",
    )

    /** The text after all steps, in their order. */
    fun clean(text: String, steps: List<Cleaning>): String = steps.fold(text) { cleaned, step ->
        when (step) {
            Cleaning.FTFY -> fix(cleaned)
            Cleaning.HTML_UNESCAPE -> CharacterReferences.unescape(cleaned)
            Cleaning.COLLAPSE_WHITESPACE -> collapse(cleaned)
            Cleaning.LOWER -> LowerCase.of(cleaned)
        }
    }

    /** Line by line; from the first line with a `<` on, references are taken for wanted. */
    private fun fix(text: String): String {
        val fixed = StringBuilder(text.length)
        var unescape = true
        var start = 0
        while (start < text.length) {
            val end = text.indexOf('\n', start).let { if (it < 0) text.length else it + 1 }
            val line = text.substring(start, end)
            unescape = unescape && '<' !in line
            fixed.append(fixLine(line, unescape))
            start = end
        }
        return fixed.toString()
    }

    private fun fixLine(line: String, unescape: Boolean): String {
        var text = line
        // Each round makes the text simpler, so that few are needed; the bound is for tables that disagree.
        repeat(MAXIMUM_ROUNDS) {
            val before = text
            if (unescape) text = CharacterReferences.unescapeClosed(text)
            text = replaceCharacters(text)
            text = TERMINAL_ESCAPE.replace(text, "")
            text = text.filterNot(::isUnwanted)
            text = Normalizer.normalize(text, Normalizer.Form.NFC)
            if (text == before) return text
        }
        return text
    }

    private fun replaceCharacters(text: String): String {
        val made = StringBuilder(text.length)
        for ((place, character) in text.withIndex()) {
            when (character) {
                in LIGATURES -> made.append(LIGATURES.getValue(character))
                '\u3000' -> made.append(' ')
                in FULL_WIDTH_FIRST..FULL_WIDTH_LAST ->
                    made.append(Normalizer.normalize(character.toString(), Normalizer.Form.NFKC))
                '\u02BC', in '\u2018'..'\u201B' -> made.append('\'')
                in '\u201C'..'\u201F' -> made.append('"')
                '\r' -> if (text.getOrNull(place + 1) != '\n') made.append('\n')
                '\u2028', '\u2029' -> made.append('\n')
                '\u0085' -> made.append(WindowsLatin.character(character.code))
                else -> made.append(
                    when {
                        character.code in WindowsLatin.CONTROLS -> WindowsLatin.character(character.code)
                        isLone(text, place) -> '\uFFFD'
                        else -> character
                    },
                )
            }
        }
        return made.toString()
    }

    /** Half of a surrogate pair whose other half is not there. */
    private fun isLone(text: String, place: Int): Boolean {
        val character = text[place]
        return when {
            character.isHighSurrogate() -> text.getOrNull(place + 1)?.isLowSurrogate() != true
            character.isLowSurrogate() -> text.getOrNull(place - 1)?.isHighSurrogate() != true
            else -> false
        }
    }

    private fun isUnwanted(character: Char): Boolean = when (character) {
        in '\u0000'..'\u0008', '\u000B', in '\u000E'..'\u001F', '\u007F', in '\u206A'..'\u206F', '\uFEFF',
        in '\uFFF9'..'\uFFFC',
        -> true
        else -> false
    }

    private fun collapse(text: String): String = text.split(*WHITESPACE).filter { it.isNotEmpty() }.joinToString(" ")

    /** What Python's `str.split` splits at; Java and Android have other sets of their own. */
    private val WHITESPACE: CharArray = (
        ('\t'..'\r') + ('\u001C'..'\u0020') + listOf('\u0085', '\u00A0', '\u1680') + ('\u2000'..'\u200A') +
            listOf('\u2028', '\u2029', '\u202F', '\u205F', '\u3000')
        ).toCharArray()
}
