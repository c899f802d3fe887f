package org.pocketclip.bench

import android.content.Context
import android.content.pm.ApplicationInfo
import android.os.Build
import java.io.File
import org.pocketclip.core.MachineException
import org.pocketclip.core.bench.Application
import org.pocketclip.core.bench.BenchProgram
import org.pocketclip.core.runtime.InferenceRuntime
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
            application = application(context),
            progress = progress,
        )
    }

    /** What this build is. */
    fun application(context: Context): Application {
        val info = context.packageManager.getPackageInfo(context.packageName, 0)
        return Application(
            version = info.versionName,
            platform = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
            debuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0,
        )
    }
}
