package org.pocketclip.core.bundle

import java.io.File
import java.io.IOException
import java.io.RandomAccessFile
import java.nio.ByteOrder
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.Hashing
import org.pocketclip.core.runtime.ElementType
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Tensor

/** A bundle on disk that passed every check. */
class Bundle internal constructor(val folder: File, val manifest: Manifest) {
    /** One hash over paths and contents of all files: the bundle's identity. */
    val sha256: String get() = Hashing.sha256(manifest.files)

    /** The model file of a tower or of a variant, or the package folder of formats that are folders. */
    fun modelFile(model: BundledModel): ModelFile = ModelFile(File(folder, model.entryPoint))

    /** Bytes of a model's files, weights beside them included. */
    fun modelSizeBytes(model: BundledModel): Long =
        manifest.files.filter { it.path.startsWith("${model.place}/") }.sumOf { it.sizeBytes }

    /**
     * The values of a stored tensor.
     *
     * @throws BundleCorruptException it was altered since the bundle was opened.
     */
    fun tensor(stored: StoredTensor): Tensor = read(folder, stored)

    /** Values of a stored tensor of uint8, uint16 or int32, as numbers; throws as [tensor]. */
    fun integers(stored: StoredTensor): IntArray = integers(tensor(stored))

    /** Rows of a stored tensor of float32 (N, ...), each flattened; throws as [tensor]. */
    fun rows(stored: StoredTensor): List<FloatArray> {
        val values = tensor(stored).floats()
        val width = values.size / stored.shape[0]
        return List(stored.shape[0]) { values.copyOfRange(it * width, (it + 1) * width) }
    }

    /** Samples of a stored tensor (N, ...), each a tensor of batch 1; throws as [tensor]. */
    fun samples(stored: StoredTensor): List<Tensor> = split(tensor(stored))

    companion object {
        /**
         * Opens a bundle and checks all of it, in the order of `docs/bundles.md`: version, paths, sizes and hashes,
         * tensors, and that its parts fit together. Takes as long as reading all its bytes.
         *
         * @throws org.pocketclip.core.BundleException there is none, or it is newer, malformed, hostile or corrupt.
         */
        fun open(folder: File): Bundle = BundleReader(folder).open()

        /**
         * Unpacks a zip with a bundle into a folder that does not exist yet, and opens it: whole or not at all.
         *
         * Nothing is written that the manifest in the zip does not list, and never more bytes than it lists.
         *
         * @param zip with `bundle.json` at the top, or in a single folder.
         * @param maximumBytes that the files may take together.
         * @throws org.pocketclip.core.BundleException as [open], or the zip is none.
         * @throws org.pocketclip.core.MachineException the folder exists, or cannot be written.
         */
        fun unpack(zip: File, folder: File, maximumBytes: Long = MAXIMUM_UNPACKED_BYTES): Bundle =
            BundleArchive(zip).unpack(folder, maximumBytes)

        /** More than any model that a phone could hold in memory. */
        const val MAXIMUM_UNPACKED_BYTES = 4L shl 30

        /** Splits a tensor (N, ...) into N of batch 1. */
        fun split(tensor: Tensor): List<Tensor> {
            val shape = listOf(1) + tensor.shape.drop(1)
            val length = tensor.data.capacity() / tensor.shape[0]
            return List(tensor.shape[0]) { place ->
                val part = tensor.bytes().apply { position(place * length).limit((place + 1) * length) }
                Tensor.allocate(tensor.type, shape).apply { bytes().put(part) }
            }
        }

        internal fun integers(tensor: Tensor): IntArray = when (tensor.type) {
            ElementType.INT32 -> tensor.ints()
            ElementType.UINT16 -> tensor.bytes().asShortBuffer().let { buffer ->
                IntArray(tensor.size) { buffer.get(it).toInt() and 0xFFFF }
            }
            ElementType.UINT8 -> tensor.bytes().let { buffer -> IntArray(tensor.size) { buffer.get(it).toInt() and 0xFF } }
            ElementType.FLOAT32 -> throw IllegalArgumentException("the tensor holds float32, not whole numbers")
        }

        internal fun read(folder: File, stored: StoredTensor): Tensor {
            val file = File(folder, stored.file)
            if (stored.shape.any { it < 1 }) {
                throw BundleCorruptException("$file has the shape ${stored.shape}; every side must be at least 1")
            }
            val wanted = try {
                Math.multiplyExact(Tensor.count(stored.shape), stored.dtype.bytes.toLong())
            } catch (error: ArithmeticException) {
                throw BundleCorruptException("$file has the impossible shape ${stored.shape}", error)
            }
            if (file.length() != wanted || wanted > BundleRanges.MOST_TENSOR_BYTES) {
                throw BundleCorruptException(
                    "$file has ${file.length()} bytes; ${stored.dtype.id} ${stored.shape} takes $wanted; make the bundle again",
                )
            }
            val tensor = Tensor.allocate(stored.dtype, stored.shape)
            try {
                RandomAccessFile(file, "r").use { opened ->
                    val target = tensor.bytes()
                    while (target.hasRemaining()) {
                        if (opened.channel.read(target) < 0) throw IOException("it ended early")
                    }
                }
            } catch (error: IOException) {
                throw BundleCorruptException("$file cannot be read (${error.message}); copy the bundle again", error)
            }
            if (stored.dtype == ElementType.FLOAT32) checkFinite(tensor, file)
            return tensor
        }

        private fun checkFinite(tensor: Tensor, file: File) {
            val values = tensor.bytes().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
            while (values.hasRemaining()) {
                if (!values.get().isFinite()) {
                    throw BundleCorruptException(
                        "$file holds NaN or infinite values; make the bundle again from sound artefacts",
                    )
                }
            }
        }
    }
}
