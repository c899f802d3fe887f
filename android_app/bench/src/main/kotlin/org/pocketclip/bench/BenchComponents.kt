package org.pocketclip.bench

import android.content.Context
import org.pocketclip.core.MachineException
import org.pocketclip.core.bench.BenchProgram
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.machine.AndroidServices
import org.pocketclip.machine.installedApplication
import org.pocketclip.runtime.executorch.ExecuTorch
import org.pocketclip.runtime.litert.LiteRt
import org.pocketclip.runtime.onnxruntime.OnnxRuntime

/** Puts core's program together with what this application has. */
object BenchComponents {
    /** Every runtime that is packaged, or could be; those whose library is missing say so in the facts. */
    fun runtimes(): List<InferenceRuntime> = listOf(ExecuTorch(), OnnxRuntime(), LiteRt())

    /**
     * The program, on this application's own folders: the external one is writable for the shell, so the harness puts
     * requests there; the internal one is not, and models are measured from it.
     *
     * @throws MachineException external storage is not there.
     */
    fun program(context: Context, progress: (String) -> Unit): BenchProgram {
        val services = AndroidServices(context)
        return BenchProgram(
            external = context.getExternalFilesDir(null)
                ?: throw MachineException("external storage is not mounted: unlock the phone once after its start"),
            internal = context.filesDir,
            runtimes = runtimes(),
            machine = LinuxMachine(services),
            services = services,
            application = installedApplication(context),
            progress = progress,
        )
    }
}
