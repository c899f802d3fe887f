package org.pocketclip.core

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json

/**
 * Looks at JSON text before it is read by recursion: how deep it goes, and whether an object holds a key twice, of
 * which the library would silently take the last one.
 */
internal object JsonKeys {
    const val DEEPEST = 64

    /** What is wrong, in words that complete "it"; null where nothing is, or where the text is no JSON anyway. */
    fun fault(text: String): String? {
        // The keys of each object that is open; null for a list.
        val open = ArrayDeque<MutableSet<String>?>()
        var key: String? = null
        var place = 0
        while (place < text.length) {
            when (text[place]) {
                '{', '[' -> {
                    if (open.size == DEEPEST) return "is nested deeper than $DEEPEST levels"
                    open.addLast(if (text[place] == '{') mutableSetOf() else null)
                }
                '}', ']' -> open.removeLastOrNull()
                '"' -> {
                    val end = end(text, place)
                    key = text.substring(place, minOf(end + 1, text.length))
                    place = end
                }
                // Only a text in an object has a colon behind it.
                ':' -> {
                    val word = key?.let(::unescaped)
                    if (word != null && open.lastOrNull()?.add(word) == false) return "holds the key \"$word\" twice"
                }
            }
            place++
        }
        return null
    }

    /** The place of the quotation mark that closes the one at [start]. */
    private fun end(text: String, start: Int): Int {
        var place = start + 1
        while (place < text.length && text[place] != '"') place += if (text[place] == '\\') 2 else 1
        return place
    }

    private fun unescaped(quoted: String): String = try {
        Json.decodeFromString<String>(quoted)
    } catch (_: SerializationException) {
        quoted
    }
}
