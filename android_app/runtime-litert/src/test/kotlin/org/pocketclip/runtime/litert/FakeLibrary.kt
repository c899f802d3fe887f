package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import java.io.File
import org.pocketclip.core.runtime.ModelFile

/** Models that a script of Python made; LiteRT itself runs them there. */
internal fun golden(name: String) =
    ModelFile(File(System.getProperty("pocketclip.goldens") ?: "../../tests/app_golden", "litert/$name.tflite"))

/**
 * A LiteRT whose models give their input as floats.
 *
 * @param registered what its environment says to have; may throw.
 * @param onOpen called before the environment is made.
 * @param model what a compiled file is.
 */
internal class FakeLibrary(
    private val registered: () -> Set<LiteRtAccelerator> = { setOf(LiteRtAccelerator.CPU) },
    private val onOpen: () -> Unit = {},
    private val model: () -> FakeModel = { FakeModel() },
) : LiteRtLibrary {
    /** What each environment was opened with. */
    val opened = mutableListOf<File?>()

    /** Path, accelerators and threads of what was compiled. */
    val compiled = mutableListOf<Triple<String, Set<LiteRtAccelerator>, Int>>()

    /** What was closed, in order. */
    val closed = mutableListOf<String>()

    override fun open(npuLibraries: File?): LiteRtEnvironment {
        onOpen()
        opened += npuLibraries
        return object : LiteRtEnvironment {
            override val accelerators: Set<LiteRtAccelerator> get() = registered()

            override fun compile(path: String, accelerators: Set<LiteRtAccelerator>, threads: Int): LiteRtModel {
                compiled += Triple(path, accelerators, threads)
                return model()
            }

            override fun close() {
                closed += "environment"
            }
        }
    }
}

/** See [FakeLibrary]. */
internal class FakeModel(
    private val inputs: Int = 1,
    private val outputs: Int = 1,
    private val values: Int? = null,
    private val onOutputs: () -> Unit = {},
    private val onRun: () -> Unit = {},
    private val onClose: (String) -> Unit = {},
) : LiteRtModel {
    val closed = mutableListOf<String>()

    /** Every array that was ever written, by identity. */
    val written = mutableListOf<Any>()
    private var given = FloatArray(0)

    override fun createInputs(): List<LiteRtBuffer> = List(inputs) { Buffer("input $it") }

    override fun createOutputs(): List<LiteRtBuffer> {
        onOutputs()
        return List(outputs) { Buffer("output $it") }
    }

    override fun run(inputs: List<LiteRtBuffer>, outputs: List<LiteRtBuffer>) = onRun()

    override fun close() = close("model")

    private fun close(name: String) {
        closed += name
        onClose(name)
    }

    private inner class Buffer(private val name: String) : LiteRtBuffer {
        override fun write(values: FloatArray) = keep(values, values.copyOf())

        override fun write(values: IntArray) = keep(values, FloatArray(values.size) { values[it].toFloat() })

        override fun write(values: ByteArray) = keep(values, FloatArray(values.size) { (values[it].toInt() and 0xFF).toFloat() })

        override fun readFloats(): FloatArray = given.copyOf(values ?: given.size)

        override fun close() = close(name)

        private fun keep(array: Any, floats: FloatArray) {
            written += array
            given = floats
        }
    }
}
