package com.google.ai.edge.litert

/** The values are LiteRT's. */
enum class Accelerator(val value: Int) {
    NONE(0),
    CPU(1),
    GPU(2),
    NPU(3),
}

/** What owns something native. */
abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close() = missing()
}

/** What every call does, as where the native library is missing. */
internal fun missing(): Nothing =
    throw UnsatisfiedLinkError("com.google.ai.edge.litert is not packaged: this is a stub to compile against")
