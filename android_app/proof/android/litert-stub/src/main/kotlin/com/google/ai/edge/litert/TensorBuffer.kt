package com.google.ai.edge.litert

/** Signatures only. */
class TensorBuffer internal constructor() : JniHandle() {
    @Throws(LiteRtException::class)
    fun writeInt(data: IntArray): Unit = missing()

    @Throws(LiteRtException::class)
    fun writeFloat(data: FloatArray): Unit = missing()

    @Throws(LiteRtException::class)
    fun writeInt8(data: ByteArray): Unit = missing()

    @Throws(LiteRtException::class)
    fun readFloat(): FloatArray = missing()
}
