package org.pocketclip.core.bench

import java.io.File
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.records.FailureCode

/** A folder that requests name files in; no path leaves it. */
internal class Folder(val root: File) {
    /**
     * The file of a relative path.
     *
     * @throws RequestFailure `path-outside`: the path leaves the folder, or goes through a link.
     */
    fun file(path: String): File {
        SafePaths.fault(path)?.let { fault ->
            throw RequestFailure(
                FailureCode.PATH_OUTSIDE,
                "the path ${SafePaths.quoted(path)} $fault; give one below the application's own folder",
            )
        }
        SafePaths.link(root, path)?.let {
            throw RequestFailure(
                FailureCode.PATH_OUTSIDE,
                "the path ${SafePaths.quoted(path)} goes through a link, ${it.name}; push the file itself",
            )
        }
        return File(root, path)
    }
}

/** Where the models are: below the internal folder, one folder for each artefact, with the list of its files beside it. */
internal class ModelStore(internal: File) {
    private val models = File(internal, FOLDER)

    /** Identities of the artefacts that are stored. */
    fun stored(): List<String> =
        models.listFiles().orEmpty().filter { it.isDirectory && IDENTITY.matches(it.name) && list(it.name).isFile }
            .map { it.name }.sorted()

    fun folder(identity: String): File = File(models, checked(identity))

    /** Where the list of an artefact's files is: beside its folder, where no runtime looks. */
    fun list(identity: String): File = File(models, "${checked(identity)}.json")

    /** A folder for what is being copied. */
    fun partial(identity: String): File = File(models, "${checked(identity)}.partial")

    fun remove(identity: String): Boolean {
        val there = folder(identity).exists() || list(identity).exists()
        // The list first: without it what is left counts for nothing.
        list(identity).delete()
        folder(identity).deleteRecursively()
        partial(identity).deleteRecursively()
        return there
    }

    fun freeBytes(): Long {
        models.mkdirs()
        return models.usableSpace
    }

    private fun checked(identity: String): String {
        if (!IDENTITY.matches(identity)) {
            throw RequestFailure(
                FailureCode.BAD_JOB,
                "${SafePaths.quoted(identity)} is no artefact's identity; give its SHA-256 as 64 hex digits",
            )
        }
        return identity
    }

    companion object {
        const val FOLDER = "models"
        private val IDENTITY = Regex("[0-9a-f]{64}")
    }
}
