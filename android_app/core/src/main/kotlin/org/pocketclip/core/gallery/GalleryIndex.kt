package org.pocketclip.core.gallery

import java.io.File
import org.pocketclip.core.GalleryMissingException
import org.pocketclip.core.GalleryOtherException
import org.pocketclip.core.InputException

/**
 * An index of photos, as `docs/gallery.md` describes it: opened once, held in memory, and kept current while [write] adds
 * to it. Any number of threads may search meanwhile; each sees a photo whole or not at all.
 */
class GalleryIndex private constructor(val folder: File, content: GalleryContent) {
    @Volatile
    internal var content: GalleryContent = content
        private set

    val identity: GalleryIdentity get() = content.identity

    /** How many photos it has. */
    val photoCount: Int get() = content.rows.seen.count

    /** Rows of the matrix, those of photos that were forgotten or replaced too. */
    val rowCount: Int get() = content.rows.rowCount

    /** All photos, by row. */
    fun photos(): List<GalleryPhoto> = content.rows.seen.photos()

    /**
     * The photos nearest to an embedding, the nearest first; equal ones by what they are found by.
     *
     * @param query of length 1, with [GalleryIdentity.width] values.
     * @param most so many are returned at most.
     * @param threads that share the work.
     */
    fun nearest(query: FloatArray, most: Int, threads: Int = Workers.THREADS): List<GalleryHit> =
        Nearest(content.rows.seen, query, most).search(threads)

    /**
     * The photos nearest to a photo of the index, without itself.
     *
     * @throws InputException it is not there any more.
     */
    fun similar(photo: String, most: Int): List<GalleryHit> {
        val (found, rows) = content.rows.find(photo)
            ?: throw InputException("the photo is not in the index any more; search again")
        return Nearest.similar(found, rows, most).search(Workers.THREADS)
    }

    /**
     * Groups of photos of which each resembles another of its group, the most alike first. Every pair is looked at.
     *
     * @param leastCosine of two photos that count as alike, 0 to 1.
     * @param progress is told the share that is done, from 0 to 1, in this thread; it may throw to end the work.
     */
    fun similarGroups(leastCosine: Double = LEAST_COSINE, progress: (Double) -> Unit = {}): List<SimilarGroup> =
        SimilarGroups(content.rows.seen, leastCosine).find(Workers.THREADS, progress)

    /**
     * Opens the index for writing: what somebody who was ended had half written is cut off. Only one may write at a time.
     *
     * @throws org.pocketclip.core.GalleryBusyException somebody else writes.
     * @throws org.pocketclip.core.GalleryException it was changed meanwhile, and cannot be used any more.
     * @throws org.pocketclip.core.MachineException the folder cannot be written.
     */
    fun write(): GalleryWriter {
        val lock = GalleryLock.take(folder)
        try {
            if (!content.isCurrent(folder)) content = readOrEmpty(folder, identity)
            return GalleryWriter(this, lock)
        } catch (error: Throwable) {
            lock.close()
            throw error
        }
    }

    /** Goes over to a new generation; whoever searches goes on in the one before. */
    internal fun become(content: GalleryContent) {
        this.content = content
    }

    companion object {
        /** Of two photos that people take for the same. */
        const val LEAST_COSINE = 0.98

        /**
         * Opens the index that is in a folder.
         *
         * @throws org.pocketclip.core.GalleryException there is none, or it cannot be used.
         */
        fun open(folder: File): GalleryIndex = GalleryIndex(folder, GalleryContent.read(folder))

        /**
         * Opens the index of a folder's photos by an image tower; where there is none, it is empty, and [write] begins it.
         *
         * @throws GalleryOtherException the index there is of another folder or image tower.
         * @throws org.pocketclip.core.GalleryException it cannot be used.
         * @throws InputException the folder's or the model's name is one that no index can have.
         */
        fun open(folder: File, identity: GalleryIdentity): GalleryIndex {
            identity.fault()?.let { throw InputException("these photos cannot be indexed: $it; choose another folder or bundle") }
            return GalleryIndex(folder, readOrEmpty(folder, identity))
        }

        private fun readOrEmpty(folder: File, identity: GalleryIdentity): GalleryContent {
            val content = try {
                GalleryContent.read(folder)
            } catch (_: GalleryMissingException) {
                return GalleryContent.empty(identity.copy(generation = 0))
            }
            val found = content.identity
            if (!found.sameEmbeddings(identity)) {
                throw GalleryOtherException("$folder has embeddings of ${found.model} by another image tower; $AGAIN")
            }
            if (found.folder != identity.folder) {
                throw GalleryOtherException("$folder is an index of other photos; $AGAIN")
            }
            return content
        }
    }
}
