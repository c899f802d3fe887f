package org.pocketclip.core.bench

import java.io.File
import java.io.FileInputStream
import kotlinx.serialization.builtins.ListSerializer
import org.pocketclip.core.Documents
import org.pocketclip.core.Hashing
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.FileEntry
import org.pocketclip.core.records.StageRequest

/** Takes pushed models into the application's own storage, whole or not at all. */
internal class Staging(private val external: Folder, private val store: ModelStore) {
    /**
     * Moves an artefact's files; the pushed ones are gone afterwards, also where they were not good.
     *
     * @throws RequestFailure `bad-job`, `path-outside`, `model-altered` or `no-space`.
     * @throws java.io.IOException the storage fails.
     */
    fun stage(request: StageRequest) {
        val pushed = external.file(request.folder)
        check(request)
        val identity = request.artifactSha256
        val partial = store.partial(identity)
        try {
            if (!isStored(request)) {
                val needed = request.files.sumOf { it.sizeBytes }
                val free = store.freeBytes()
                if (needed > free) {
                    throw RequestFailure(
                        FailureCode.NO_SPACE,
                        "the model takes $needed bytes, $free are free in the application's storage; remove something",
                    )
                }
                store.remove(identity)
                request.files.forEach { copy(external, "${request.folder}/${it.path}", it, File(partial, it.path)) }
                if (!partial.renameTo(store.folder(identity))) {
                    throw RequestFailure(FailureCode.BAD_JOB, "cannot rename $partial; is the storage writable?")
                }
                // Last: a folder without it counts for nothing.
                Hashing.writeWhole(store.list(identity), Documents.write(FILES, request.files).toByteArray())
            }
        } finally {
            partial.deleteRecursively()
            request.files.forEach { File(pushed, it.path).delete() }
            pushed.walkBottomUp().filter { it.isDirectory && it.list()?.isEmpty() == true }.forEach { it.delete() }
        }
    }

    private fun check(request: StageRequest) {
        if (request.files.isEmpty()) throw RequestFailure(FailureCode.BAD_JOB, "the request lists no files")
        SafePaths.fault(request.files.map { it.path })?.let {
            throw RequestFailure(FailureCode.PATH_OUTSIDE, "the request names $it")
        }
        request.files.firstOrNull { it.sizeBytes < 0 }?.let {
            throw RequestFailure(FailureCode.BAD_JOB, "${it.path} cannot have ${it.sizeBytes} bytes")
        }
        store.folder(request.artifactSha256)
    }

    private fun isStored(request: StageRequest): Boolean {
        val listed = files(store, request.artifactSha256) ?: return false
        return listed.toSet() == request.files.toSet() && fault(store, request.artifactSha256) == null
    }

    companion object {
        private val FILES = ListSerializer(FileEntry.serializer())
        private const val SHORT = 12

        /**
         * Copies what was pushed to a path, if it is what was announced.
         *
         * @throws RequestFailure `path-outside` or `model-altered`.
         */
        fun copy(external: Folder, path: String, announced: FileEntry, target: File) {
            val source = external.file(path)
            if (!source.isFile) throw RequestFailure(FailureCode.MODEL_ALTERED, "$path was not pushed")
            target.parentFile?.mkdirs()
            val found = FileInputStream(source).use { Hashing.copy(it, target, announced.sizeBytes) }
            if (found == null || found.sizeBytes != announced.sizeBytes || found.sha256 != announced.sha256) {
                val size = found?.sizeBytes ?: source.length()
                throw RequestFailure(
                    FailureCode.MODEL_ALTERED,
                    "$path has $size bytes and hash ${found?.sha256?.take(SHORT) ?: "unknown"}, announced were " +
                        "${announced.sizeBytes} and ${announced.sha256.take(SHORT)}; push it again",
                )
            }
        }

        /** The files of a stored artefact; null where it is not stored. */
        fun files(store: ModelStore, identity: String): List<FileEntry>? {
            val list = store.list(identity)
            if (!list.isFile || !store.folder(identity).isDirectory) return null
            return Documents.read(FILES, list.readText(), list.name)
        }

        /** What is wrong with a stored artefact's files, in words; null where all are as they were staged. */
        fun fault(store: ModelStore, identity: String): String? =
            files(store, identity)?.firstNotNullOfOrNull { Hashing.fault(File(store.folder(identity), it.path), it) }
    }
}
