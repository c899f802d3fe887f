package org.pocketclip.runtime.litert

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.pocketclip.core.LoadException
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.Tensor

/**
 * What a model file says of its one input and its one output.
 *
 * LiteRT's Kotlin tells a tensor's type and shape to whoever knows its name, and tells no names; its buffers take arrays of
 * any type that are not too long. So this is read from the file itself, a FlatBuffer of tflite's schema.
 *
 * @property input the type of the input's values; the output's are float32.
 */
internal class LiteRtFile(val input: ElementType, val inputShape: List<Int>, val outputShape: List<Int>) {
    companion object {
        /**
         * Reads the graph of the first signature, or the first graph of a file without signatures.
         *
         * @throws LoadException it is not a LiteRT file, it is damaged, or its tensors are not what a tower has.
         */
        fun read(path: File): LiteRtFile {
            if (!path.isFile) throw LoadException("there is no LiteRT model at $path")
            val bytes = try {
                mapped(path)
            } catch (error: IOException) {
                throw LoadException("${path.name} cannot be read: ${error.message}", error)
            }
            return parse(bytes, path.name)
        }

        /** Of a file's bytes; throws as [read]. */
        fun parse(bytes: ByteBuffer, name: String): LiteRtFile = try {
            graph(FlatBuffer(bytes.order(ByteOrder.LITTLE_ENDIAN)), name)
        } catch (error: IndexOutOfBoundsException) {
            throw LoadException("$name is cut off or damaged; copy it anew", error)
        }

        private fun mapped(path: File): ByteBuffer = RandomAccessFile(path, "r").use { file ->
            // Offsets have 32 bits: nothing that matters here lies behind them.
            val length = file.length().coerceAtMost(Int.MAX_VALUE.toLong())
            file.channel.map(FileChannel.MapMode.READ_ONLY, 0, length)
        }

        private fun graph(file: FlatBuffer, name: String): LiteRtFile {
            if (file.identifier != IDENTIFIER) throw LoadException("$name is no LiteRT model: make the bundle anew")
            val model = file.root
            val signature = file.table(model, MODEL_SIGNATURES, 0)
            val which = signature?.let { file.int(it, SIGNATURE_GRAPH) } ?: 0
            val graph = file.table(model, MODEL_GRAPHS, which) ?: throw LoadException("$name has no graph")
            val input = only(file.ints(graph, GRAPH_INPUTS), name, "input")
            val output = only(file.ints(graph, GRAPH_OUTPUTS), name, "output")
            val taken = type(file, graph, input)
            val type = TAKEN[taken] ?: throw LoadException(
                "the input of $name is ${typeName(taken)}, it must be ${TAKEN.values.joinToString { it.id }}",
            )
            val given = type(file, graph, output)
            if (given != FLOAT32) throw LoadException("the output of $name is ${typeName(given)}, it must be float32")
            return LiteRtFile(type, shape(file, graph, input, name), shape(file, graph, output, name))
        }

        private fun only(tensors: List<Int>, name: String, what: String): Int =
            tensors.singleOrNull() ?: throw LoadException("$name has ${tensors.size} ${what}s, it must have one")

        private fun tensor(file: FlatBuffer, graph: Int, place: Int): Int =
            file.table(graph, GRAPH_TENSORS, place) ?: throw IndexOutOfBoundsException("there is no tensor $place")

        private fun type(file: FlatBuffer, graph: Int, place: Int): Int =
            file.byte(tensor(file, graph, place), TENSOR_TYPE) ?: FLOAT32

        private fun shape(file: FlatBuffer, graph: Int, place: Int, name: String): List<Int> {
            val sides = file.ints(tensor(file, graph, place), TENSOR_SHAPE)
            val fits = sides.isNotEmpty() && sides.all { it > 0 }
            // Sides of a damaged file can overflow any count.
            if (!fits || sides.fold(1.0) { product, side -> product * side } * Float.SIZE_BYTES > Int.MAX_VALUE) {
                throw LoadException("a tensor of $name has the shape $sides; its sides must be fixed, and fit into memory")
            }
            return sides
        }

        private fun typeName(type: Int): String = TYPE_NAMES.getOrNull(type) ?: "of an unknown type ($type)"

        private const val IDENTIFIER = "TFL3"
        private const val FLOAT32 = 0

        // Places of fields in their tables, in the schema's order.
        private const val MODEL_GRAPHS = 2
        private const val MODEL_SIGNATURES = 7
        private const val SIGNATURE_GRAPH = 4
        private const val GRAPH_TENSORS = 0
        private const val GRAPH_INPUTS = 1
        private const val GRAPH_OUTPUTS = 2
        private const val TENSOR_SHAPE = 0
        private const val TENSOR_TYPE = 1

        private val TAKEN = mapOf(FLOAT32 to ElementType.FLOAT32, 2 to ElementType.INT32, 3 to ElementType.UINT8)
        private val TYPE_NAMES = listOf(
            "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64",
        )
    }

    /** How many values the input has. */
    val inputSize: Int get() = Tensor.count(inputShape).toInt()

    /** How many values the output has. */
    val outputSize: Int get() = Tensor.count(outputShape).toInt()
}

/**
 * Tables of a FlatBuffer by position. A table begins with the distance back to a list of where its fields lie; what is not
 * inline lies at a distance forward.
 *
 * Every function throws [IndexOutOfBoundsException] where the file says what cannot be.
 */
private class FlatBuffer(private val bytes: ByteBuffer) {
    /** The four letters behind the first offset. */
    val identifier: String
        get() = String(CharArray(OFFSET) { bytes.get(OFFSET + it).toInt().toChar() })

    /** The outermost table. */
    val root: Int get() = follow(0)

    fun byte(table: Int, field: Int): Int? = place(table, field)?.let { bytes.get(it).toInt() }

    fun int(table: Int, field: Int): Int? = place(table, field)?.let(bytes::getInt)

    fun ints(table: Int, field: Int): List<Int> {
        val list = place(table, field)?.let(::follow) ?: return emptyList()
        val length = bytes.getInt(list)
        if (length !in 0..LONGEST) throw IndexOutOfBoundsException("a list of $length")
        return List(length) { bytes.getInt(list + OFFSET * (it + 1)) }
    }

    /** One of a list of tables; null where the list is not there or shorter. */
    fun table(table: Int, field: Int, index: Int): Int? {
        val list = place(table, field)?.let(::follow) ?: return null
        if (index !in 0 until bytes.getInt(list)) return null
        return follow(list + OFFSET * (index + 1))
    }

    /** Where a field lies; null where the table is without. */
    private fun place(table: Int, field: Int): Int? {
        val fields = table - bytes.getInt(table)
        val entry = (field + 2) * Short.SIZE_BYTES
        if (entry >= unsigned(fields)) return null
        return unsigned(fields + entry).takeIf { it != 0 }?.let { table + it }
    }

    private fun follow(position: Int): Int = position + bytes.getInt(position)

    private fun unsigned(position: Int): Int = bytes.getShort(position).toInt() and 0xFFFF

    private companion object {
        const val OFFSET = 4

        /** Inputs, outputs and shapes of sound files are far shorter. */
        const val LONGEST = 1024
    }
}
