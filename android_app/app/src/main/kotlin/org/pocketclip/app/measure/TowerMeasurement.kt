package org.pocketclip.app.measure

import java.io.File
import kotlinx.serialization.Serializable
import org.pocketclip.core.Hashing
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.measuring.TowerBenchmark
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Tower
import org.pocketclip.core.runtime.InferenceRuntime

/** What shall be measured: a tower of the bundle in [bundleFolder], as [settings] say. */
@Serializable
data class MeasureRequest(val bundleFolder: String, val tower: Tower, val settings: RunSettings)

/**
 * Measures a bundle's tower in this process and keeps the record: of the same form as those of the harness, so that it can
 * be taken into its store and compared.
 *
 * @param folder of the application's own; records are kept in it until the user removes the application's data.
 * @param soc the phone's chip; null where it is not known.
 */
class TowerMeasurement(
    private val folder: File,
    private val runtimes: List<InferenceRuntime>,
    private val machine: Machine,
    private val device: DeviceFacts,
    private val toolVersion: String,
    private val soc: String? = null,
) {
    /**
     * Blocks until it is done.
     *
     * @return the file with the record, a failed one too.
     * @throws org.pocketclip.core.BundleException the bundle was damaged since it was imported.
     */
    fun run(request: MeasureRequest, progress: (String) -> Unit): File {
        val bundle = Bundle.open(File(request.bundleFolder))
        val benchmark = TowerBenchmark(bundle, runtimes, machine, device, toolVersion, soc)
        val record = benchmark.run(request.tower, request.settings, progress)
        val file = File(folder, "$RESULTS/${record.recordId}.json")
        Hashing.writeWhole(file, record.toJson().toByteArray())
        return file
    }

    companion object {
        /** Folder of the records below that of the measurements. */
        const val RESULTS = "results"
    }
}
