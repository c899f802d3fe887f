package org.pocketclip.core.testing

import java.io.File
import java.util.Random
import org.pocketclip.core.gallery.GalleryIdentity
import org.pocketclip.core.gallery.GalleryIndex
import org.pocketclip.core.gallery.GalleryWriter
import org.pocketclip.core.ranking.Ranking

/** Indexes of random embeddings; the same number makes the same ones. */
class TestGallery(val folder: File, private val width: Int = WIDTH) {
    private val random = Random(5)

    val identity = GalleryIdentity(1, "tiny", "a".repeat(64), "b".repeat(64), width, "content://folder", "tiny")

    fun open(): GalleryIndex = GalleryIndex.open(folder, identity)

    fun vector(): FloatArray = Ranking.normalized(FloatArray(width) { random.nextGaussian().toFloat() })

    /** A vector whose cosine with [vector] is [cosine]. */
    fun near(vector: FloatArray, cosine: Double): FloatArray {
        val other = vector()
        val along = Ranking.cosine(vector, other)
        val across = Ranking.normalized(FloatArray(width) { (other[it] - along * vector[it]).toFloat() })
        val sine = kotlin.math.sqrt(1 - cosine * cosine)
        return Ranking.normalized(FloatArray(width) { (cosine * vector[it] + sine * across[it]).toFloat() })
    }

    /** Writes into the index, to its end. */
    fun write(action: (GalleryWriter) -> Unit): GalleryIndex = open().also { index -> index.write().use(action) }

    /** Adds photos of random embeddings. */
    fun add(vararg photos: String): GalleryIndex = write { writer -> photos.forEach { writer.add(it, "1", vector()) } }

    companion object {
        const val WIDTH = 6
    }
}

/** Photos with their versions, as an index has them. */
fun GalleryIndex.versions(): Map<String, String> = photos().associate { it.photo to it.version }
