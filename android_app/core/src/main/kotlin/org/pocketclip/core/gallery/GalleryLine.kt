package org.pocketclip.core.gallery

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import org.pocketclip.core.DocumentException
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.SafePaths

/**
 * A photo of an index.
 *
 * @property photo what the photo is found by: a path below the folder, or what the system names it with.
 * @property version changes when the photo does.
 * @property row of the matrix.
 * @property name what to show where [photo] says nothing to people.
 */
data class GalleryPhoto(val photo: String, val version: String, val row: Int, val name: String? = null) {
    /** What people call it. */
    val shownName: String get() = name ?: photo
}

/** A line of `photos-N.jsonl`: the row of a photo, or that it is forgotten. */
internal data class GalleryLine(val photo: String, val version: String?, val row: Int?, val name: String?) {
    /** What a field holds that it may not, in words; null where all is well. */
    fun fault(): String? = when {
        !GalleryIdentity.isText(photo) -> "photo must have from 1 to ${GalleryIdentity.LONGEST_TEXT} characters"
        version != null && version.length > LONGEST_VERSION -> "version must have at most $LONGEST_VERSION characters"
        row != null && row > MOST_ROW -> "row must be at most $MOST_ROW, got $row"
        !name.isNullOrEmpty() && !GalleryIdentity.isText(name) ->
            "name must have at most ${GalleryIdentity.LONGEST_TEXT} characters"
        else -> null
    }

    /** As the file has it. */
    fun bytes(): ByteArray = buildJsonObject {
        put("photo", photo)
        // A photo that is forgotten has nothing else.
        version?.let { put("version", it) }
        row?.let { put("row", it) }
        name?.let { put("name", it) }
    }.toString().plus('\n').toByteArray()

    companion object {
        const val MOST_ROW = 10_000_000

        /** A line of the longest fields is far from it. */
        const val MOST_BYTES = 1 shl 16
        private const val LONGEST_VERSION = 100
        private const val MOST_DIGITS = 8
        private val FIELDS = setOf("photo", "version", "row", "name")

        fun of(photo: GalleryPhoto): GalleryLine = GalleryLine(photo.photo, photo.version, photo.row, photo.name)

        fun forgotten(photo: String): GalleryLine = GalleryLine(photo, null, null, null)

        /**
         * Reads a line strictly, field by field: an index has a hundred thousand, and a serializer takes three times as long.
         *
         * @throws DocumentException it is none.
         */
        fun read(text: String, source: String): GalleryLine {
            val fields = Documents.parse(text, source) as? JsonObject ?: throw fault(source, "it is no object")
            fields.keys.firstOrNull { it !in FIELDS }?.let {
                throw fault(source, "it has the unknown field ${SafePaths.quoted(it)}")
            }
            val line = GalleryLine(
                photo = text(fields["photo"], "photo", source) ?: throw fault(source, "it has no photo"),
                version = text(fields["version"], "version", source),
                row = number(fields["row"], "row", source),
                name = text(fields["name"], "name", source),
            )
            line.fault()?.let { throw fault(source, it) }
            return line
        }

        private fun text(value: JsonElement?, field: String, source: String): String? = when {
            value == null || value is JsonNull -> null
            value is JsonPrimitive && value.isString -> value.content
            else -> throw fault(source, "$field is no text")
        }

        private fun number(value: JsonElement?, field: String, source: String): Int? {
            if (value == null || value is JsonNull) return null
            val digits = (value as? JsonPrimitive)?.takeUnless { it.isString }?.content.orEmpty()
            if (digits.length !in 1..MOST_DIGITS || digits.any { it !in '0'..'9' }) {
                throw fault(source, "$field is no whole number from 0 to $MOST_ROW")
            }
            return digits.toInt()
        }

        private fun fault(source: String, words: String) = DocumentException("$source is not valid: $words")
    }
}
