package org.pocketclip.core.bundle

import java.io.File
import java.nio.file.Files

/** Which relative paths stay inside their folder on every system. */
object SafePaths {
    private val PART = Regex("[A-Za-z0-9_][A-Za-z0-9_.+-]*")
    private val SEPARATOR = Regex("[/\\\\]")
    private const val LONGEST = 200

    /** What makes a relative path unsafe, in words; null where it is safe. */
    fun fault(path: String): String? = when {
        path.startsWith("/") || Regex("[A-Za-z]:.*", RegexOption.DOT_MATCHES_ALL).matches(path) -> "is absolute"
        ".." in path.split(SEPARATOR) -> "leaves the folder"
        path.length > LONGEST -> "is longer than $LONGEST characters"
        !path.split('/').all(PART::matches) -> "has a part that is not made of letters, digits and . _ + -"
        else -> null
    }

    /** What is wrong with paths together, in words: one that is unsafe, or two that some file system takes for one. */
    fun fault(paths: List<String>): String? {
        val seen = mutableMapOf<String, String>()
        for (path in paths) {
            fault(path)?.let { return "the path ${quoted(path)}, which $it" }
            val other = seen.put(path.lowercase(java.util.Locale.ROOT), path) ?: continue
            return "${quoted(other)} and ${quoted(path)}: the same file on some systems"
        }
        // A file cannot be a folder as well.
        for (path in seen.keys) {
            val folder = parents(path).firstOrNull { it in seen } ?: continue
            return "${quoted(seen.getValue(folder))} both as a file and as a folder"
        }
        return null
    }

    /** The folders above a path, the outermost last. */
    fun parents(path: String): List<String> =
        generateSequence(path.substringBeforeLast('/', "")) { it.substringBeforeLast('/', "") }
            .takeWhile { it.isNotEmpty() }.toList()

    /** The first of a path's parts below a folder that is a link; null where none is. */
    fun link(folder: File, path: String): File? =
        (parents(path).asReversed() + path).map { File(folder, it) }.firstOrNull { Files.isSymbolicLink(it.toPath()) }

    /** A path as messages show it: without control characters, and not endless. */
    fun quoted(path: String): String =
        "'" + path.take(LONGEST).map { if (it.isISOControl()) '?' else it }.joinToString("") + "'"
}
