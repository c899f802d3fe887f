package org.pocketclip.core.gallery

import java.nio.file.Path
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.concurrent.thread
import kotlin.math.round
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.testing.TestGallery

class GallerySearchTest {
    @TempDir
    lateinit var temporary: Path
    private val gallery by lazy { TestGallery(temporary.toFile(), width = 40) }

    private fun halves(vector: FloatArray) = FloatArray(vector.size) { HalfFloats.toFloat(HalfFloats.fromFloat(vector[it])) }

    private fun names(hits: List<GalleryHit>) = hits.map { it.photo.photo }

    @Test
    fun `the nearest are those of a full sort, with any number of threads`() {
        // Some blocks, the last of them not full.
        val photos = List(5_000) { "photo $it" to gallery.vector() }
        val index = gallery.write { writer -> photos.forEach { (photo, vector) -> writer.add(photo, "1", vector) } }
        index.write().use { writer -> for (place in 0 until 1_500 step 2) writer.forget(photos[place].first) }
        val left = photos.filterIndexed { place, _ -> place >= 1_500 || place % 2 == 1 }.map { (photo, vector) -> photo to halves(vector) }
        repeat(3) {
            val query = gallery.vector()
            val wanted = left.map { (photo, vector) -> photo to round(Ranking.cosine(query, vector) * 1e6) }
                .sortedWith(compareByDescending<Pair<String, Double>> { it.second }.thenBy { it.first })
            for (each in listOf(index, GalleryIndex.open(temporary.toFile()))) {
                for ((most, threads) in listOf(1 to 1, 7 to 2, 60 to 4, 60 to 1)) {
                    val found = each.nearest(query, most, threads)
                    // Single precision may turn around what differs by no more than a digit that nobody sees.
                    found.zip(wanted).forEach { (hit, pair) -> assertEquals(pair.second, hit.cosine * 1e6, 1.5) }
                    assertEquals(wanted.take(most).map { it.first }.toSet().size, found.size)
                }
                assertEquals(left.size, each.nearest(query, 9_999).size)
            }
        }
    }

    @Test
    fun `equal ones come in the order of their names, of which the first ones stay`() {
        val vector = gallery.vector()
        val names = listOf("b", "ä", "a", "\uD83D\uDE00", "\uFB01", "Z", "c")
        val index = gallery.write { writer ->
            writer.add("other", "1", gallery.vector())
            for (name in names) writer.add(name, "1", vector)
        }
        // As Python orders text: U+FB01 before U+1F600, though UTF-16 has it behind.
        val wanted = listOf("Z", "a", "b", "c", "ä", "\uFB01", "\uD83D\uDE00")
        for (most in 1..7) {
            for (threads in listOf(1, 2)) assertEquals(wanted.take(most), names(index.nearest(vector, most, threads)))
        }
        assertEquals(wanted - "a", names(index.similar("a", 6)))
        assertEquals("other", index.similar("a", 99).last().photo.photo)
    }

    @Test
    fun `nothing is found where nothing is, or nothing is asked for`() {
        assertEquals(emptyList<GalleryHit>(), gallery.open().nearest(gallery.vector(), 5))
        val index = gallery.add("a")
        assertEquals(emptyList<GalleryHit>(), index.nearest(gallery.vector(), 0))
        assertEquals(emptyList<GalleryHit>(), index.similar("a", 5))
        assertEquals(emptyList<SimilarGroup>(), index.similarGroups())
    }

    @Test
    fun `while photos are added, replaced and forgotten, each is seen whole and once`() {
        val fixed = gallery.vector()
        val index = gallery.write { it.add("fixed", "1", fixed) }
        val ended = AtomicBoolean()
        var faults = emptyList<String>()
        val searching = thread {
            while (!ended.get() && faults.isEmpty()) {
                val found = index.nearest(fixed, 10_000)
                val twice = names(found).groupingBy { it }.eachCount().filterValues { it > 1 }.keys
                // A row that is not whole, or of another photo, would have another cosine.
                val odd = found.filter { it.photo.photo == "fixed" != it.cosine > 0.99 }
                if (twice.isNotEmpty() || odd.isNotEmpty() || "fixed" !in names(found)) faults = listOf("$twice $odd ${found.size}")
            }
        }
        // All of them are across: their cosines are near 0.
        val across = List(50) { gallery.near(fixed, 0.0) }
        index.write().use { writer ->
            for (step in 0 until 6_000) {
                val photo = "photo ${step % 700}"
                if (step % 5 == 4) writer.forget(photo) else writer.add(photo, "$step", across[step % across.size])
                if (step % 7 == 0) writer.add("fixed", "$step", fixed)
                if (step % 64 == 0) writer.flush()
            }
        }
        ended.set(true)
        searching.join()
        assertEquals(emptyList<String>(), faults)
        assertEquals(index.photos().map { it.photo to it.version }, GalleryIndex.open(temporary.toFile()).photos().map { it.photo to it.version })
    }

    @Test
    fun `groups are those of all pairs`() {
        val centres = List(15) { gallery.vector() }
        val photos = List(400) { place ->
            val vector = if (place % 3 == 0) gallery.near(centres[place % 15], 0.97 + place % 7 * 0.004) else gallery.vector()
            "photo ${place * 7919 % 400}" to vector
        }
        val index = gallery.write { writer -> photos.forEach { (photo, vector) -> writer.add(photo, "1", vector) } }
        index.write().use { writer -> photos.take(40).forEach { writer.forget(it.first) } }
        for (least in listOf(0.0, 0.5, 0.95, 0.98, 1.0)) {
            val wanted = allPairs(photos.drop(40).map { (photo, vector) -> photo to halves(vector) }, least)
            val told = mutableListOf<Double>()
            val found = index.similarGroups(least, told::add)
            assertEquals(wanted.map { it.first }.toSet(), found.map { group -> group.photos.map { it.photo } }.toSet(), "at $least")
            found.forEach { group -> assertEquals(wanted.toMap().getValue(group.photos.map { it.photo }), group.cosine, 1e-5) }
            assertEquals(found.map { it.cosine }.sortedDescending(), found.map { it.cosine })
            assertTrue(told.all { it > 0 && it <= 1 })
        }
        assertThrows(IllegalArgumentException::class.java) { index.similarGroups(1.1) }
    }

    /** As Python: groups by any path of pairs, each with the least cosine of its pairs. */
    private fun allPairs(photos: List<Pair<String, FloatArray>>, least: Double): List<Pair<List<String>, Double>> {
        val group = photos.indices.toMutableList()
        val cosines = mutableMapOf<Pair<Int, Int>, Double>()
        for (one in photos.indices) {
            for (other in one + 1 until photos.size) {
                val cosine = Ranking.cosine(photos[one].second, photos[other].second)
                if (cosine < least) continue
                cosines[one to other] = cosine
                val (old, new) = group[other] to group[one]
                if (old != new) for (place in group.indices) if (group[place] == old) group[place] = new
            }
        }
        return photos.indices.groupBy { group[it] }.values.filter { it.size > 1 }.map { members ->
            val pairs = cosines.filterKeys { it.first in members.toSet() }.values
            members.map { photos[it].first }.sorted() to minOf(1.0, pairs.min())
        }
    }

    @Test
    fun `equal groups come in the order of their names, each with no cosine above 1`() {
        val vectors = List(3) { place -> FloatArray(40) { if (it == place) 1f else 0f } }
        val index = gallery.write { writer ->
            for ((place, name) in listOf("d", "a", "c").withIndex()) {
                for (copy in 1..2) writer.add("$name$copy", "1", vectors[place])
            }
            writer.add("b", "1", gallery.near(vectors[0], 0.99))
        }
        val found = index.similarGroups()
        assertEquals(listOf(listOf("a1", "a2"), listOf("c1", "c2"), listOf("b", "d1", "d2")), found.map { group -> group.photos.map { it.photo } })
        assertEquals(listOf(1.0, 1.0), found.take(2).map { it.cosine })
        assertEquals(0.99, found[2].cosine, 1e-3)
    }

    @Test
    fun `the search for groups ends when it is told to`() {
        val index = gallery.add(*Array(2_000) { "photo $it" })
        var told = 0
        val error = assertThrows(IllegalStateException::class.java) {
            index.similarGroups {
                told++
                error("enough")
            }
        }
        assertEquals("enough", error.message)
        assertEquals(1, told)
    }

    @Test
    fun `pairs of tiles are all pairs, once`() {
        for (tiles in 0..9) {
            val pairs = TilePairs(tiles)
            val wanted = (0 until tiles).flatMap { first -> (first until tiles).map { first to it } }
            assertEquals(wanted, (0 until pairs.count).map { pairs.first(it) to pairs.second(it) })
        }
    }

    @Test
    fun `what fails in one thread ends all, and is told`() {
        for (threads in listOf(1, 2, 4)) {
            val error = assertThrows(IllegalStateException::class.java) {
                Workers.share(100, threads, { }) { _, place -> check(place != 7) { "no seven" } }
            }
            assertTrue("no seven" in "$error ${error.cause}")
        }
        assertEquals(4950, Workers.share(100, 4, { intArrayOf(0) }) { sum, place -> sum[0] += place }.sumOf { it[0] })
    }
}
