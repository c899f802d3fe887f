package org.pocketclip.core

import kotlinx.serialization.DeserializationStrategy
import kotlinx.serialization.KSerializer
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/** JSON documents, read strictly: unknown or missing fields, other types, NaN and infinity are refused. */
object Documents {
    private val json = Json {
        encodeDefaults = true
        explicitNulls = true
    }

    /**
     * JSON of any form.
     *
     * @param source says in messages where the text came from.
     * @throws DocumentException the text is none.
     */
    fun parse(text: String, source: String): JsonElement {
        // The library reads what is nested by recursion: a few kilobytes of brackets would end the program.
        JsonKeys.fault(text)?.let { throw DocumentException("$source is not valid: it $it") }
        return guarded(source) { json.parseToJsonElement(text) }
    }

    /**
     * A document of [serializer]'s form.
     *
     * @throws DocumentException the text is no JSON, or has another form.
     */
    fun <T> read(serializer: KSerializer<T>, text: String, source: String): T {
        val tree = parse(text, source)
        val value = guarded(source) { json.decodeFromJsonElement(serializer as DeserializationStrategy<T>, tree) }
        // The library takes numbers and truth values in quotes, too: what it read must be what stands there.
        val fault = otherForm(tree, json.encodeToJsonElement(serializer, value), "")
        if (fault != null) throw DocumentException("$source is not valid: $fault")
        return value
    }

    /** JSON text of a document. Numbers that are not finite are a mistake in the program. */
    fun <T> write(serializer: KSerializer<T>, value: T): String = json.encodeToString(serializer, value)

    /** The whole number in a field of an object; null where there is none. */
    fun wholeNumber(tree: JsonElement, field: String): Int? {
        val value = (tree as? JsonObject)?.get(field) as? JsonPrimitive
        return value?.takeUnless { it.isString }?.content?.toIntOrNull()
    }

    /** The text in a field of an object; null where there is none. */
    fun text(tree: JsonElement, field: String): String? =
        ((tree as? JsonObject)?.get(field) as? JsonPrimitive)?.takeIf { it.isString }?.content

    private inline fun <T> guarded(source: String, action: () -> T): T = try {
        action()
    } catch (error: SerializationException) {
        throw DocumentException("$source is not valid: ${firstLine(error)}", error)
    } catch (error: IllegalArgumentException) {
        throw DocumentException("$source is not valid: ${firstLine(error)}", error)
    }

    private fun firstLine(error: Exception): String = error.message.orEmpty().lineSequence().first().take(LONGEST)

    private fun otherForm(found: JsonElement, wanted: JsonElement, place: String): String? = when (found) {
        is JsonObject -> found.entries.firstNotNullOfOrNull { (key, value) ->
            (wanted as? JsonObject)?.get(key)?.let { otherForm(value, it, "$place.$key") }
        }
        is JsonArray -> found.indices.firstNotNullOfOrNull { index ->
            (wanted as? JsonArray)?.getOrNull(index)?.let { otherForm(found[index], it, "$place[$index]") }
        }
        is JsonNull -> null
        is JsonPrimitive -> {
            val quoted = found.isString && !(wanted as JsonPrimitive).isString
            val field = place.removePrefix(".")
            if (quoted) "$field is text (\"${found.content}\") where a number or truth value belongs" else null
        }
    }

    private const val LONGEST = 300
}
