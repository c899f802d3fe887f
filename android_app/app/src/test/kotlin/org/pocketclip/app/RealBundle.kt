package org.pocketclip.app

import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.junit.Assume.assumeTrue
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.RgbImage

/** A bundle of pocketclip_nano with ONNX towers and labels; what needs it is skipped where none was given. */
object RealBundle {
    val folder: File
        get() {
            val path = System.getProperty("pocketclip.bundle").orEmpty()
            assumeTrue("-Dpocketclip.bundle=FOLDER gives a bundle of ONNX towers", File(path, "bundle.json").isFile)
            return File(path)
        }

    fun zip(target: File, change: (name: String, content: ByteArray) -> ByteArray = { _, content -> content }): File {
        ZipOutputStream(target.outputStream()).use { zip ->
            folder.walkTopDown().filter(File::isFile).forEach { file ->
                val name = file.relativeTo(folder).invariantSeparatorsPath
                zip.putNextEntry(ZipEntry(name))
                zip.write(change(name, file.readBytes()))
            }
        }
        return target
    }

    /** A golden image of the bundle as pixels. */
    fun image(bundle: Bundle, place: Int): RgbImage {
        val stored = bundle.manifest.endToEnd.images[place].pixels
        val pixels = ByteArray(stored.shape.reduce(Int::times)).also { bundle.tensor(stored).bytes().get(it) }
        return RgbImage(stored.shape[1], stored.shape[0], pixels)
    }
}
