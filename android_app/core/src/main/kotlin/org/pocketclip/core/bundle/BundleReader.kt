package org.pocketclip.core.bundle

import java.io.File
import java.io.IOException
import java.nio.charset.CharacterCodingException
import java.nio.file.Files
import org.pocketclip.core.BundleCorruptException
import org.pocketclip.core.BundleForeignException
import org.pocketclip.core.BundleHostileException
import org.pocketclip.core.BundleMalformedException
import org.pocketclip.core.BundleMissingException
import org.pocketclip.core.BundleTooNewException
import org.pocketclip.core.DocumentException
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.tokenizer.BundleTokenizer

/** Reads a bundle: nothing in it is used before its version, its paths and every file have been checked. */
internal class BundleReader(private val folder: File) {
    private val path = File(folder, BUNDLE_NAME)

    fun open(): Bundle {
        if (!path.isFile) {
            throw BundleMissingException(
                "there is no bundle at $folder: it has no $BUNDLE_NAME; make one with `pocketclip bundle`",
            )
        }
        if (Files.isSymbolicLink(path.toPath())) {
            throw BundleHostileException("$path is a link; copy the bundle with the files themselves")
        }
        if (path.length() > MAXIMUM_MANIFEST_BYTES) {
            throw BundleMalformedException("$path has ${path.length()} bytes, more than any manifest; do not use this bundle")
        }
        val manifest = try {
            parse(path.readBytes(), path.toString())
        } catch (error: IOException) {
            throw BundleCorruptException("cannot read $path: ${error.message}", error)
        }
        checkPaths(manifest, path.toString())
        checkFiles(manifest)
        BundleConsistency(path.toString(), manifest).check()
        manifest.tensors.forEach { Bundle.read(folder, it) }
        // Its ids and its pattern may be wrong as well.
        BundleTokenizer(Bundle(folder, manifest))
        return Bundle(folder, manifest)
    }

    private fun checkFiles(manifest: Manifest) {
        for (entry in manifest.files) {
            val link = SafePaths.link(folder, entry.path) ?: continue
            throw BundleHostileException("$link is a link; copy the bundle with the files themselves")
        }
        for (entry in manifest.files) {
            val fault = Hashing.fault(File(folder, entry.path), entry) ?: continue
            throw BundleCorruptException("$fault; copy the bundle again, or make it again")
        }
        // A runtime may pick up a file beside its model that nobody vouches for.
        val listed = manifest.files.map { it.path }.toSet() + BUNDLE_NAME
        val unlisted = present().firstOrNull { it !in listed } ?: return
        throw BundleHostileException("$folder holds ${SafePaths.quoted(unlisted)}, which its manifest does not list; remove it")
    }

    /** Files and links below the folder, links not followed, as POSIX paths. */
    private fun present(): List<String> = Files.walk(folder.toPath()).use { places ->
        places.filter { !Files.isDirectory(it, java.nio.file.LinkOption.NOFOLLOW_LINKS) }
            .map { folder.toPath().relativize(it).joinToString("/") }
            .filter { it.substringAfterLast('/') !in IGNORED }
            .sorted().toList()
    }

    companion object {
        /** A manifest lists files and sentences: some ten kilobytes. */
        const val MAXIMUM_MANIFEST_BYTES = 16L shl 20

        // Finder writes it into every folder that it shows.
        private val IGNORED = setOf(".DS_Store")

        /** The manifest in JSON of a version that this program reads. */
        fun parse(bytes: ByteArray, source: String): Manifest {
            try {
                val text = Charsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes)).toString()
                val version = Documents.wholeNumber(Documents.parse(text, source), "schema_version")
                if (version == null || version < 1) {
                    throw BundleMalformedException("$source has no schema_version of 1 or more; make the bundle again")
                }
                if (version == APPLE_SCHEMA_VERSION) {
                    throw BundleForeignException(
                        "$source is of a bundle for iPhones, with Core ML and Core AI; make one for Android from artefacts " +
                            "of onnx, executorch or tflite",
                    )
                }
                if (version > BUNDLE_SCHEMA_VERSION) {
                    throw BundleTooNewException(
                        "$source has schema version $version; this version reads up to $BUNDLE_SCHEMA_VERSION: " +
                            "update the application or make the bundle again",
                    )
                }
                return Documents.read(Manifest.serializer(), text, source)
            } catch (error: DocumentException) {
                throw BundleMalformedException("${error.message}; make the bundle again", error)
            } catch (error: CharacterCodingException) {
                throw BundleMalformedException("$source is no UTF-8 text; make the bundle again", error)
            }
        }

        /** Refuses what no field may hold, paths that leave the folder, and files that nobody listed or vouches for. */
        fun checkPaths(manifest: Manifest, source: String) {
            BundleRanges(source, manifest).check()
            val listed = manifest.files.map { it.path }
            SafePaths.fault(listed)?.let { throw BundleHostileException("$source names $it; do not use this bundle") }
            if (listed.any { it.equals(BUNDLE_NAME, ignoreCase = true) }) {
                throw BundleHostileException("$source lists itself; do not use this bundle")
            }
            for (model in manifest.models) {
                val there = listed.any { it == model.entryPoint || it.startsWith("${model.entryPoint}/") }
                if (SafePaths.fault(model.entryPoint) != null || !there) {
                    throw BundleMalformedException(
                        "$source: the model ${SafePaths.quoted(model.entryPoint)} is not among the files it lists",
                    )
                }
            }
            manifest.tensors.firstOrNull { it.file !in listed }?.let {
                throw BundleMalformedException(
                    "$source: the tensor ${SafePaths.quoted(it.file)} is not among the files it lists",
                )
            }
        }
    }
}
