package org.pocketclip.core.tokenizer

import java.util.Locale
import org.jsoup.nodes.Entities

/** HTML's character references, exactly as Python's `html.unescape` and `ftfy` take them; jsoup has the names. */
internal object CharacterReferences {
    // Only classes of ASCII and no flags: Android's regular expressions are ICU's, where flags mean other things.
    private val REFERENCE = Regex("&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\\t\\n\\f <&#;]{1,32};?)")
    private val CLOSED = Regex("&#?[0-9A-Za-z]{1,24};")
    private const val REPLACEMENT = "\uFFFD"
    private const val HEXADECIMAL = 16
    private const val DECIMAL = 10
    private const val LAST_CODE_POINT = 0x10FFFF
    private const val LAST_OF_PLANE = 0xFFFF

    /** Characters for all references, also unclosed ones where HTML knows them so. */
    fun unescape(text: String): String =
        if ('&' in text) REFERENCE.replace(text) { replaced(it.groupValues[1]) } else text

    /** Characters for closed references alone, and for names that were put into capitals, as `ftfy` does. */
    fun unescapeClosed(text: String): String = if ('&' in text) CLOSED.replace(text) { closed(it.value) } else text

    private fun closed(reference: String): String {
        if (reference[1] == '#') {
            val character = unescape(reference)
            return if (';' in character) reference else character
        }
        val name = reference.substring(1, reference.length - 1)
        named("$name;")?.let { return it }
        val lower = name.lowercase(Locale.ROOT)
        val capitals = name == lower.uppercase(Locale.ROOT) && unescape(reference) == reference
        return (if (capitals) named("$lower;")?.uppercase(Locale.ROOT) else null) ?: reference
    }

    private fun replaced(reference: String): String {
        if (reference[0] == '#') return numbered(reference.removeSuffix(";"))
        named(reference)?.let { return it }
        for (length in reference.length - 1 downTo 2) {
            named(reference.substring(0, length))?.let { return it + reference.substring(length) }
        }
        return "&$reference"
    }

    /** Of a name as it stands in HTML's table, mostly with a semicolon; null where it does not. */
    private fun named(name: String): String? {
        val bare = name.removeSuffix(";")
        val known = if (bare.length < name.length) Entities.isNamedEntity(bare) else Entities.isBaseNamedEntity(bare)
        return if (known) Entities.getByName(bare) else null
    }

    private fun numbered(reference: String): String {
        val hexadecimal = reference[1] == 'x' || reference[1] == 'X'
        val number = if (hexadecimal) {
            reference.substring(2).toBigInteger(HEXADECIMAL)
        } else {
            reference.substring(1).toBigInteger(DECIMAL)
        }
        if (number.bitLength() > Int.SIZE_BITS - 1) return REPLACEMENT
        val code = number.toInt()
        return when {
            code == 0 -> REPLACEMENT
            code == '\r'.code -> "\r"
            code in WindowsLatin.CONTROLS -> WindowsLatin.character(code).toString()
            code in 0xD800..0xDFFF || code > LAST_CODE_POINT -> REPLACEMENT
            meaningless(code) -> ""
            else -> String(Character.toChars(code))
        }
    }

    private fun meaningless(code: Int): Boolean =
        code in 0x01..0x08 || code == 0x0B || code in 0x0E..0x1F || code == 0x7F || code in 0xFDD0..0xFDEF ||
            (code and LAST_OF_PLANE) >= LAST_OF_PLANE - 1
}

/** Windows-1252 where it differs from Latin-1; the five bytes that it leaves open stay what they are. */
internal object WindowsLatin {
    /** Latin-1's second set of control characters. */
    val CONTROLS = 0x80..0x9F

    private const val TABLE =
        "\u20AC\u0081\u201A\u0192\u201E\u2026\u2020\u2021\u02C6\u2030\u0160\u2039\u0152\u008D\u017D\u008F" +
            "\u0090\u2018\u2019\u201C\u201D\u2022\u2013\u2014\u02DC\u2122\u0161\u203A\u0153\u009D\u017E\u0178"

    fun character(code: Int): Char = TABLE[code - CONTROLS.first]
}
