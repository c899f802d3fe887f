package org.pocketclip.core.bench

import java.io.File
import java.io.IOException
import org.pocketclip.core.Hashing
import org.pocketclip.core.InputException

/**
 * A request, read once: other applications may write to the shared folder at any time.
 *
 * @property bytes its content; null where there is no such file.
 */
internal class Request private constructor(val name: String, private val bytes: ByteArray?) {
    /** Of the content that is carried out; null where there is none. */
    val sha256: String? = bytes?.let(Hashing::sha256)

    /** The content as text; `bad-job` where there is none. */
    fun text(): String = bytes?.decodeToString() ?: bad("there is no job or request $name")

    companion object {
        // Of a job, or of a list of an artefact's files.
        private const val MOST_BYTES = 4L shl 20

        /**
         * Reads a request.
         *
         * @param sha256 of what the harness sent; null where it does not tell.
         * @throws InputException it has another hash, or is larger than any request: nothing is done.
         */
        fun read(file: File, sha256: String?): Request {
            if (file.length() > MOST_BYTES) {
                throw InputException("the request ${file.name} has ${file.length()} bytes, at most $MOST_BYTES are read")
            }
            val bytes = try {
                if (file.isFile) file.readBytes() else null
            } catch (error: IOException) {
                throw InputException("cannot read the request ${file.name}: ${error.message}", error)
            }
            val request = Request(file.name, bytes)
            if (sha256 != null && request.sha256 != null && request.sha256 != sha256) {
                throw InputException(
                    "request-altered: the request ${file.name} is not what the harness sent: another application writes " +
                        "to the shared folder; remove it, and run it again",
                )
            }
            return request
        }
    }
}
