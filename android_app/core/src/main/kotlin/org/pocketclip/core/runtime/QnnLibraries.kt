package org.pocketclip.core.runtime

import java.io.File
import java.io.IOException

/**
 * Qualcomm's libraries for the NPU of its chips, as an application packages them: one version, for all of its runtimes.
 *
 * @property folder where Android extracted them.
 */
class QnnLibraries private constructor(val folder: File) {
    /** The library that runtimes reach the NPU by. */
    val backend: File get() = File(folder, BACKEND)

    /** As the library itself has it, e.g. `v2.49.40.260810104044`; null where it does not tell. */
    val version: String? by lazy { readVersion(backend) }

    companion object {
        private const val BACKEND = "libQnnHtp.so"
        private const val CHUNK = 1 shl 16
        private const val LONGEST = 48
        private val VERSION = Regex("v[0-9]{1,3}\\.[0-9]{1,4}\\.[0-9]{1,4}\\.[0-9]{6,20}")
        private val NUMBERS = Regex("v?([0-9]{1,6})\\.([0-9]{1,6})(?:\\.([0-9]{1,6}))?(?:\\..*)?")

        /** Those in a folder; null where there are none. */
        fun find(folder: File?): QnnLibraries? = folder?.takeIf { File(it, BACKEND).isFile }?.let(::QnnLibraries)

        /**
         * Why libraries of one version cannot take a graph that another one prepared, in words; null where they can, or
         * where a version is not known and only loading tells.
         *
         * @param prepared the version that prepared the graph.
         * @param packaged the version in this application.
         */
        fun refusal(prepared: String, packaged: String?): String? {
            val wanted = numbers(prepared) ?: return null
            val found = packaged?.let(::numbers) ?: return null
            val (ours, theirs) = wanted.zip(found).firstOrNull { (first, second) -> first != second } ?: return null
            return if (theirs < ours) {
                "its graph was prepared by QNN ${worded(wanted)}, this application has the older QNN ${worded(found)}"
            } else {
                null
            }
        }

        private fun numbers(version: String): List<Int>? =
            NUMBERS.matchEntire(version)?.let { match -> match.groupValues.drop(1).map { it.toIntOrNull() ?: 0 } }

        private fun worded(numbers: List<Int>): String = numbers.joinToString(".")

        /** The library has no function for it that Java could call; its bytes hold it as text. */
        private fun readVersion(file: File): String? = try {
            file.inputStream().use { input ->
                val chunk = ByteArray(CHUNK)
                var left = ""
                var found: String? = null
                while (found == null) {
                    val read = input.read(chunk)
                    if (read < 0) break
                    val text = left + String(chunk, 0, read, Charsets.ISO_8859_1)
                    // One that ends with the text may go on in the next.
                    found = VERSION.findAll(text).firstOrNull { it.range.last < text.length - 1 }?.value
                    left = text.takeLast(LONGEST)
                }
                found ?: VERSION.find(left)?.value
            }
        } catch (_: IOException) {
            null
        }
    }
}
