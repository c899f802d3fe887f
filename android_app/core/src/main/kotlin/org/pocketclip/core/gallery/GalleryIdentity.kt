package org.pocketclip.core.gallery

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import org.pocketclip.core.DocumentException
import org.pocketclip.core.Documents
import org.pocketclip.core.GalleryDamagedException
import org.pocketclip.core.GalleryMissingException
import org.pocketclip.core.GalleryVersionException

/** The version of the format that this program reads and writes. */
const val GALLERY_SCHEMA_VERSION = 1

/**
 * Whose embeddings an index has: those of another image tower may not be compared with them. `index.json`, as
 * `IndexIdentity` in export/gallery/index_folder.py.
 *
 * @property width values of an embedding.
 * @property folder where the photos are: a path, or what the system names a folder with.
 * @property artifact what helps to find the image tower again: in applications the bundle's name.
 * @property generation which `rows-N.f16` and `photos-N.jsonl` are the index's.
 */
@Serializable
data class GalleryIdentity(
    @SerialName("schema_version") val schemaVersion: Int,
    val model: String,
    @SerialName("weights_sha256") val weightsSha256: String,
    @SerialName("image_sha256") val imageSha256: String,
    val width: Int,
    val folder: String,
    val artifact: String,
    val generation: Long = 0,
) {
    /** Bytes of a row. */
    internal val rowBytes: Int get() = width * Short.SIZE_BYTES

    /** Whether rows of both can be compared. */
    fun sameEmbeddings(other: GalleryIdentity): Boolean = imageSha256 == other.imageSha256 && width == other.width

    /** What a field holds that it may not, in words; null where all is well. */
    internal fun fault(): String? = when {
        model.length > LONGEST_NAME || !NAME.matches(model) -> "model must be a plain name of letters, digits and . _ + -"
        !HASH.matches(weightsSha256) -> "weights_sha256 must be 64 hex digits in lower case"
        !HASH.matches(imageSha256) -> "image_sha256 must be 64 hex digits in lower case"
        width !in WIDTHS -> "width must be from 1 to ${WIDTHS.last}, got $width"
        !isText(folder) -> "folder must have from 1 to $LONGEST_TEXT characters"
        !isText(artifact) -> "artifact must have from 1 to $LONGEST_TEXT characters"
        generation !in 0..MOST_GENERATION -> "generation must be from 0 to $MOST_GENERATION, got $generation"
        else -> null
    }

    companion object {
        internal const val LONGEST_TEXT = 4096
        private const val LONGEST_NAME = 100
        private const val MOST_BYTES = 1L shl 20
        private const val MOST_GENERATION = (1L shl 53) - 1
        private val WIDTHS = 1..65_536
        private val NAME = Regex("[A-Za-z0-9_][A-Za-z0-9_.+-]*")
        private val HASH = Regex("[0-9a-f]{64}")
        private val NOT_PLAIN = Regex("[^A-Za-z0-9_.+-]|^[.+-]")

        /** A name as [model] may be; what it may not have becomes `_`. */
        fun plainName(name: String): String = name.replace(NOT_PLAIN, "_").take(LONGEST_NAME).ifEmpty { "_" }

        /** Whether a text has at least one character, and no more than a path may have. */
        internal fun isText(text: String): Boolean = text.isNotEmpty() && text.codePointCount(0, text.length) <= LONGEST_TEXT

        /**
         * Reads `index.json`.
         *
         * @throws org.pocketclip.core.GalleryException there is none, or it is damaged or of another version.
         */
        internal fun read(file: File): GalleryIdentity {
            if (!file.isFile) throw GalleryMissingException("there is no index of photos in ${file.parent}; index a folder first")
            if (file.length() > MOST_BYTES) throw GalleryDamagedException("$file has ${file.length()} bytes; $AGAIN")
            return try {
                parse(strictText("$file", file.readBytes()), "$file")
            } catch (error: IOException) {
                throw GalleryDamagedException("cannot read $file (${error.message}); $AGAIN", error)
            } catch (error: DocumentException) {
                throw GalleryDamagedException("${error.message}; $AGAIN", error)
            }
        }

        private fun parse(text: String, source: String): GalleryIdentity {
            val version = Documents.wholeNumber(Documents.parse(text, source), "schema_version")
            if (version != null && version != GALLERY_SCHEMA_VERSION) {
                throw GalleryVersionException(
                    "$source is of version $version; this program reads version $GALLERY_SCHEMA_VERSION; $AGAIN",
                )
            }
            val identity = Documents.read(serializer(), text, source)
            identity.fault()?.let { throw GalleryDamagedException("$source is not valid: $it; $AGAIN") }
            return identity
        }
    }
}

/** What helps where an index cannot be used: its rows can always be made again. */
internal const val AGAIN = "index the photos again"

/**
 * Bytes as text.
 *
 * @throws DocumentException they are no UTF-8.
 */
internal fun strictText(source: String, bytes: ByteArray, start: Int = 0, length: Int = bytes.size): String = try {
    Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, start, length)).toString()
} catch (error: CharacterCodingException) {
    throw DocumentException("$source is no UTF-8 text", error)
}
