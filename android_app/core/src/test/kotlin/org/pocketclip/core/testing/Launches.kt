package org.pocketclip.core.testing

import org.pocketclip.core.records.Launch
import org.pocketclip.core.records.MachineState

/** Launches and states to change. */
object Launches {
    fun state(at: String = "2026-01-01T00:00:00.000+00:00") = MachineState(at)

    fun launch(steadyNs: List<Long> = listOf(5, 6, 7)) = Launch(
        startedAt = "2026-01-01T00:00:00+00:00",
        loadAverage = null,
        importNs = 1,
        loadNs = 2,
        firstInferenceNs = 3,
        warmupNs = listOf(4),
        warmupStationary = true,
        steadyNs = steadyNs,
        baselineBytes = 100,
        loadedBytes = 110,
        peakBeforeLoadBytes = 120,
        peakBytes = 150,
        endBytes = 130,
        peakReset = true,
    )
}
