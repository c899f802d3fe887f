package org.pocketclip.core.bundle

import java.io.File
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.Tensor

/** A bundle on disk that passed every check. */
class Bundle internal constructor(val folder: File, val manifest: Manifest) {
    /** One hash over paths and contents of all files: the bundle's identity. */
    val sha256: String get() = TODO("follows")

    /** A tower's model file, or the package folder of formats that are folders. */
    fun modelFile(tower: BundledTower): ModelFile = ModelFile(File(folder, tower.entryPoint))

    /**
     * The values of a stored tensor.
     *
     * @throws org.pocketclip.core.BundleCorruptException it was altered since the bundle was opened.
     */
    fun tensor(stored: StoredTensor): Tensor = TODO("follows")

    companion object {
        /**
         * Opens a bundle and checks all of it, in the order of `docs/bundles.md`: version, paths, sizes and hashes,
         * tensors, and that its parts fit together. Takes as long as reading all its bytes.
         *
         * @throws org.pocketclip.core.BundleException there is none, or it is newer, malformed, hostile or corrupt.
         */
        fun open(folder: File): Bundle = TODO("follows")

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
        fun unpack(zip: File, folder: File, maximumBytes: Long = MAXIMUM_UNPACKED_BYTES): Bundle = TODO("follows")

        /** More than any model that a phone could hold in memory. */
        const val MAXIMUM_UNPACKED_BYTES = 4L shl 30
    }
}
