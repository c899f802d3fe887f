package org.pocketclip.bench

import android.content.Context
import android.os.Build
import android.os.Environment
import java.io.File
import org.pocketclip.core.MachineException
import org.pocketclip.core.bench.BenchProgram
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.machine.AndroidNpu
import org.pocketclip.machine.AndroidServices
import org.pocketclip.machine.BitmapPhotos
import org.pocketclip.machine.installedApplication
import org.pocketclip.runtime.executorch.ExecuTorch
import org.pocketclip.runtime.litert.LiteRt
import org.pocketclip.runtime.onnxruntime.OnnxRuntime

/** Puts core's program together with what this application has. */
object BenchComponents {
    /**
     * Every runtime that is packaged, or could be; those whose library is missing say so in the facts. A vendor's libraries
     * for its neural processor lie where Android extracts them.
     */
    fun runtimes(context: Context): List<InferenceRuntime> {
        val qnn = AndroidNpu.libraries(context)
        return listOf(ExecuTorch(qnn), OnnxRuntime(qnn), LiteRt(context.applicationInfo.nativeLibraryDir?.let(::File)))
    }

    /**
     * The folder that both this application and the shell may write to, made where it is missing; null where storage is not
     * mounted. From Android 10 on it is the media folder, as in AndroidX's benchmark library: below Android/data, what the
     * shell makes is not for the application from Android 11 on. The harness chooses by the same rule.
     */
    fun sharedFolder(context: Context): File? =
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) {
            context.getExternalFilesDir(null)
        } else {
            // Meant for media, of which nothing here is any: what counts is who may write there.
            @Suppress("DEPRECATION")
            val folders = context.externalMediaDirs.filterNotNull()
            folders.firstOrNull { Environment.getExternalStorageState(it) == Environment.MEDIA_MOUNTED }
        }

    /**
     * The program, on this application's own folders: the external one is writable for the shell, so the harness puts
     * requests there; the internal one is not, and models are measured from it.
     *
     * @throws MachineException external storage is not there.
     */
    fun program(context: Context, progress: (String) -> Unit): BenchProgram {
        val services = AndroidServices(context)
        return BenchProgram(
            external = sharedFolder(context)
                ?: throw MachineException("external storage is not mounted: unlock the phone once after its start"),
            internal = context.filesDir,
            runtimes = runtimes(context),
            decoder = BitmapPhotos,
            machine = LinuxMachine(services),
            services = services,
            application = installedApplication(context),
            progress = progress,
        )
    }
}
