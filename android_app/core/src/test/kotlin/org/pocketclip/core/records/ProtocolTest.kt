package org.pocketclip.core.records

import java.io.File
import kotlinx.serialization.KSerializer
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.DocumentException
import org.pocketclip.core.Documents
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.Launches
import org.pocketclip.core.worded

class ProtocolTest {
    /** Numbers by value: 1 and 1.0 are the same. */
    private fun plain(element: JsonElement): Any? = when (element) {
        is JsonObject -> element.mapValues { plain(it.value) }
        is JsonArray -> element.map(::plain)
        is JsonPrimitive -> if (element.isString) element.content else element.doubleOrNull ?: element.content
    }

    private fun <T> roundTrip(name: String, serializer: KSerializer<T>): T {
        val text = File(Goldens.folder, "protocol/$name").readText()
        val value = Documents.read(serializer, text, name)
        assertEquals(plain(Documents.parse(text, name)), plain(Documents.parse(Documents.write(serializer, value), name)), name)
        return value
    }

    @Test
    fun `Python's documents are read and written back the same`() {
        assertEquals(JOB_VERSION, roundTrip("job.json", Job.serializer()).jobVersion)
        val result = roundTrip("result.json", AgentResult.serializer())
        assertEquals(RESULT_VERSION, result.resultVersion)
        assertEquals(2, result.launch?.during?.size)
        assertEquals(FailureCode.LOW_BATTERY, roundTrip("failed_result.json", AgentResult.serializer()).failure?.code)
        assertEquals(JOB_VERSION, roundTrip("throughput_job.json", ThroughputJob.serializer()).jobVersion)
        val throughput = checkNotNull(roundTrip("throughput_result.json", AgentResult.serializer()).throughput)
        assertEquals(listOf(212, 1), listOf(throughput.photos, throughput.firstUnreadable.size))
        assertEquals(RECORD_SCHEMA_VERSION, roundTrip("record.json", BenchmarkRecord.serializer()).schemaVersion)
    }

    @Test
    fun `codes are written as Python writes them`() {
        for (code in FailureCode.entries) {
            assertEquals("\"${code.id}\"", Documents.write(FailureCode.serializer(), code))
        }
    }

    @Test
    fun `what is not exactly a document is refused with its place`() {
        val good = Documents.write(Minute.serializer(), Minute(listOf(1), Launches.state()))
        for ((old, new) in listOf(
            "\"steady_ns\":[1]" to "\"steady_ns\":[1.5]",
            "\"steady_ns\":[1]" to "\"steady_ns\":[\"1\"]",
            "\"steady_ns\":[1]" to "\"steady_ns\":null",
            "\"steady_ns\":[1]," to "",
            "\"at\":\"2026-01-01T00:00:00.000+00:00\"" to "\"at\":5",
            "\"thermal_status\":null" to "\"thermal_status\":\"2\"",
            "\"charging\":null" to "\"charging\":1",
            "\"load_average\":null" to "\"load_average\":NaN",
            "\"load_average\":null" to "\"load_average\":\"0.5\"",
            "{\"steady_ns\"" to "{\"more\":1,\"steady_ns\"",
        )) {
            assertTrue(old in good, old)
            val error = assertThrows(DocumentException::class.java) { Documents.read(Minute.serializer(), good.replace(old, new), "a.json") }
            assertTrue(error.message.orEmpty().startsWith("a.json is not valid: "), error.message)
        }
        assertThrows(DocumentException::class.java) { Documents.parse("{\"a\":" + "[".repeat(99) + "]".repeat(99) + "}", "deep") }
        assertEquals("[[[[", (Documents.parse("\"[[[[\"", "a") as JsonPrimitive).content)
        assertEquals("\"\\", (Documents.parse("\"\\\"\\\\\"", "a") as JsonPrimitive).content)
        assertNull(Documents.wholeNumber(Documents.parse("{\"a\":\"1\"}", "a"), "a"))
        assertNull(Documents.text(Documents.parse("[1]", "a"), "a"))
    }

    @Test
    fun `records hold what their status says`() {
        val record = Documents.read(BenchmarkRecord.serializer(), File(Goldens.folder, "protocol/record.json").readText(), "record")
        assertThrows(IllegalArgumentException::class.java) { record.copy(reason = "why") }
        assertThrows(IllegalArgumentException::class.java) { record.copy(launches = emptyList()) }
        assertThrows(IllegalArgumentException::class.java) { record.copy(status = Status.FAILED) }
    }

    @Test
    fun `the peak over the baseline is told only where it is known`() {
        val launch = Launches.launch()
        assertEquals(50L, launch.peakOverBaselineBytes)
        assertNull(launch.copy(baselineBytes = null).peakOverBaselineBytes)
        assertNull(launch.copy(peakReset = false, peakBytes = 120).peakOverBaselineBytes)
        assertEquals(0L, launch.copy(peakBytes = 90).peakOverBaselineBytes)
    }

    @Test
    fun `errors are worded in one line`() {
        assertEquals("IllegalStateException: first", worded(IllegalStateException("first\nsecond")))
        assertEquals("IllegalStateException", worded(IllegalStateException()))
    }
}
