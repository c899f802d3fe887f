package com.google.ai.edge.litert

/** Signatures only. */
class LiteRtException(private val status: Status, message: String) : Exception(message)

/** Some of LiteRT's. */
enum class Status(val code: Int) {
    ErrorInvalidArgument(1),
    ErrorRuntimeFailure(3),
    ErrorUnsupported(5),
    ErrorCompilation(504),
}
