package org.pocketclip.core.measuring

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import org.pocketclip.core.testing.Goldens
import org.pocketclip.core.testing.Launches
import org.pocketclip.core.testing.number

class StatisticsTest {
    @Test
    fun `summaries are those of Python`() {
        val cases = Goldens.json("statistics.json").jsonArray.map { it.jsonObject }
        assertEquals(11, cases.size)
        for (case in cases) {
            val launches = case.getValue("steady_ns").jsonArray.map { row -> Launches.launch(row.jsonArray.map { it.jsonPrimitive.long }) }
            val wanted = case.getValue("summary").jsonObject
            val found = Statistics.summarize(launches)
            assertEquals(wanted.number("samples"), found.samples)
            for ((field, value) in mapOf(
                "p50_ns" to found.p50Ns, "p90_ns" to found.p90Ns, "p95_ns" to found.p95Ns, "p99_ns" to found.p99Ns,
                "mad_ns" to found.madNs, "launch_median_ns" to found.launchMedianNs, "launch_spread" to found.launchSpread,
            )) {
                assertEquals(wanted.value(field), value, field)
            }
            assertEquals(wanted.getValue("launch_medians_ns").jsonArray.map { it.jsonPrimitive.double }, found.launchMediansNs)
        }
    }

    @Test
    fun `a single series`() {
        assertEquals(1.0, Statistics.medianAbsoluteDeviation(doubleArrayOf(1.0, 2.0, 3.0)))
        assertEquals(1.0, Statistics.percentile(doubleArrayOf(3.0, 1.0), 0.0))
        assertEquals(3.0, Statistics.percentile(doubleArrayOf(3.0, 1.0), 100.0))
        assertThrows(IllegalArgumentException::class.java) { Statistics.median(doubleArrayOf()) }
        assertThrows(IllegalArgumentException::class.java) { Statistics.percentile(doubleArrayOf(), 50.0) }
        assertThrows(IllegalArgumentException::class.java) { Statistics.percentile(doubleArrayOf(1.0), 101.0) }
        assertThrows(IllegalArgumentException::class.java) { Statistics.summarize(emptyList()) }
    }

    private fun JsonObject.value(field: String): Double = getValue(field).jsonPrimitive.double
}
