package org.pocketclip.core.bundle

import java.io.File
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfSystemProperty
import org.pocketclip.core.BundleException
import org.pocketclip.core.Documents

/**
 * The hostile bundles that Python, Kotlin and Swift read, against the table of who refuses which: tests/hostile of the
 * repository makes both.
 */
@EnabledIfSystemProperty(named = "pocketclip.fixtures", matches = ".+", disabledReason = "tests/hostile makes the bundles")
class HostileBundlesTest {
    private val folder = File(System.getProperty("pocketclip.fixtures"), "hostile")

    private val table: JsonObject = Documents.parse(File(folder, "refusals.json").readText(), "refusals.json").jsonObject

    /** What Kotlin says to a case; null where it reads it. Anything but a `BundleException` fails the test. */
    private fun refusal(name: String): String? = try {
        Bundle.open(File(folder, "cases/$name"))
        null
    } catch (error: BundleException) {
        error.message
    }

    @Test
    fun `every case is refused or read as the table says`() {
        assertTrue(table.size > 80)
        val wanted = table.mapValues { (_, row) -> row.jsonObject.getValue("kotlin").jsonPrimitive.boolean }
        assertEquals(wanted, table.keys.associateWith { refusal(it) != null })
    }

    @Test
    fun `refusals are one line of some words`() {
        val messages = table.keys.associateWith(::refusal).filterValues { it != null }
        assertEquals(emptyList<String>(), messages.filterValues { it!!.length < 20 || '\n' in it }.keys.toList())
    }
}
