package org.pocketclip.app.search

/**
 * A photo's embedding as it is stored. It belongs to the photo as it was at [modifiedMs] and to one bundle: of another
 * bundle, or of a photo that was changed, it says nothing.
 */
class StoredEmbedding(val document: String, val name: String, val modifiedMs: Long, val values: FloatArray)

/** Embeddings on this device, by folder and bundle. Blocking: call it off the main thread. */
interface EmbeddingStore {
    /** When each stored photo had been changed last. */
    fun known(folder: String, bundleSha256: String): Map<String, Long>

    fun put(folder: String, bundleSha256: String, embedding: StoredEmbedding)

    /** Forgets photos that are not in the folder any more. */
    fun retain(folder: String, bundleSha256: String, documents: Set<String>)

    fun all(folder: String, bundleSha256: String): List<StoredEmbedding>
}
