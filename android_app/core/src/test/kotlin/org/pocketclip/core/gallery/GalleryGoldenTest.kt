package org.pocketclip.core.gallery

import java.io.File
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.float
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.number
import org.pocketclip.core.testing.text

/** An index that Python wrote, and what Python finds in it. */
class GalleryGoldenTest {
    private val index = GalleryIndex.open(File(Goldens.folder, "gallery"))
    private val expected = Goldens.json("gallery/expected.json").jsonObject

    private fun assertHits(wanted: JsonElement, found: List<GalleryHit>) {
        val hits = wanted.jsonArray.map { it.jsonObject }
        assertEquals(hits.map { it.text("photo") }, found.map { it.photo.photo })
        hits.zip(found).forEach { (hit, photo) -> assertEquals(cosine(hit), photo.cosine, TOLERANCE) }
    }

    private fun cosine(entry: JsonObject) = entry.getValue("cosine").jsonPrimitive.double

    @Test
    fun `queries find what Python finds, in its order`() {
        val queries = expected.getValue("queries").jsonArray.map { it.jsonObject }
        assertTrue(queries.size >= 3)
        for (query in queries) {
            val vector = query.getValue("vector").jsonArray.map { it.jsonPrimitive.float }.toFloatArray()
            assertHits(query.getValue("hits"), index.nearest(vector, query.number("most")))
        }
    }

    @Test
    fun `the same photos are similar to one`() {
        val similar = expected.getValue("similar").jsonObject
        assertHits(similar.getValue("hits"), index.similar(similar.text("photo"), similar.number("most")))
    }

    @Test
    fun `the same photos are groups`() {
        val entry = expected.getValue("groups").jsonObject
        val wanted = entry.getValue("groups").jsonArray.map { it.jsonObject }
        val found = index.similarGroups(entry.getValue("least_cosine").jsonPrimitive.double)
        assertEquals(
            wanted.map { group -> group.getValue("photos").jsonArray.map { it.jsonPrimitive.content } },
            found.map { group -> group.photos.map { it.photo } },
        )
        wanted.zip(found).forEach { (group, own) -> assertEquals(cosine(group), own.cosine, TOLERANCE) }
    }

    private companion object {
        /** Python's have five digits here. */
        const val TOLERANCE = 2e-5
    }
}
