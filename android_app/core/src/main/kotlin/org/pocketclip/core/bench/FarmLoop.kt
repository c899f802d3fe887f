package org.pocketclip.core.bench

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.pocketclip.core.Documents
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.LoopLaunch
import org.pocketclip.core.worded

/** How a launch ended. */
sealed interface LaunchEnd {
    /** Its answer lies in its folder; [value] is [Answer.value] of it. */
    data class Answered(val value: String) : LaunchEnd

    /** There is no answer, for a reason. */
    data class Refused(val reason: String) : LaunchEnd

    /** Its process died; [exits] is what the system remembers of that, as `dumpsys activity exit-info` words it. */
    data class Died(val exits: String) : LaunchEnd

    /** It took longer than it may. */
    data object TimedOut : LaunchEnd
}

/** Starts an action in a process of its own and waits for its end. */
fun interface Launcher {
    /** Carries out an action of [BenchProgram]; its process is gone afterwards. */
    fun launch(action: String, request: String?, requestSha256: String?, limitMs: Long): LaunchEnd
}

/**
 * All launches of a package, one after the other, on a phone whose cable nobody holds.
 *
 * It judges nothing. What every launch said and wrote becomes one zip, in the words of `am instrument -r`, so that the
 * harness reads it as it reads a phone's at hand.
 *
 * @param external the shared folder, in which the package [PACKAGE] lies.
 * @param device what the phone says of itself.
 * @param publish is given the zip of what there is so far, after every launch: a farm may end the test at any time.
 * @param rest waits, in milliseconds.
 */
class FarmLoop(
    private val external: File,
    private val device: DeviceFacts,
    private val launcher: Launcher,
    private val publish: (ByteArray) -> Unit,
    private val rest: (Long) -> Unit = Thread::sleep,
) {
    private val results = LinkedHashMap<String, ByteArray>()

    /** Carries out the package; what goes wrong is in the results. */
    fun run() {
        try {
            results["device.json"] = Documents.write(DeviceFacts.serializer(), device).toByteArray()
            val order = LoopPackage(File(external, PACKAGE)).unpack(external)
            val limitMs = order.limitSeconds * 1000L
            keep(FACTS, File(external, FACTS), launcher.launch(FACTS, null, null, limitMs), order.limitSeconds)
            for (launch in order.launches) {
                rest(order.restSeconds * 1000L)
                val folder = File(external, "${order.token}/${launch.folder}")
                keep(launch.folder, folder, launched(order.token, launch, folder, limitMs), order.limitSeconds)
            }
            File(external, order.token).deleteRecursively()
        } catch (error: PocketClipException) {
            results["error.txt"] = worded(error).toByteArray()
        } catch (error: IOException) {
            results["error.txt"] = worded(error).toByteArray()
        }
        publish(zipped())
    }

    private fun launched(token: String, launch: LoopLaunch, folder: File, limitMs: Long): LaunchEnd {
        folder.mkdirs()
        File(external, "$token/requests/${launch.folder}.json").copyTo(File(folder, REQUEST), overwrite = true)
        return launcher.launch(launch.action, "$token/${launch.folder}/$REQUEST", launch.requestSha256, limitMs)
    }

    private fun keep(name: String, folder: File, end: LaunchEnd, limitSeconds: Int) {
        val (code, said) = when (end) {
            is LaunchEnd.Answered -> 0 to "INSTRUMENTATION_RESULT: ${Answer.KEY}=${end.value}\nINSTRUMENTATION_CODE: -1\n"
            is LaunchEnd.Refused -> 0 to "INSTRUMENTATION_RESULT: ${Answer.ERROR}=${line(end.reason)}\nINSTRUMENTATION_CODE: 0\n"
            is LaunchEnd.Died -> 0 to "INSTRUMENTATION_RESULT: shortMsg=Process crashed.\nINSTRUMENTATION_CODE: 0\n"
            LaunchEnd.TimedOut -> TIMED_OUT to "no answer in $limitSeconds s\n"
        }
        results["$name/said.txt"] = said.toByteArray()
        results["$name/code.txt"] = "$code\n".toByteArray()
        if (end is LaunchEnd.Died) results["$name/exits.txt"] = end.exits.toByteArray()
        if (end is LaunchEnd.Answered) {
            for (written in listOf("result.json", "outputs.bin")) {
                val file = File(folder, written)
                if (file.isFile && file.length() <= MOST_BYTES) results["$name/$written"] = file.readBytes()
            }
        }
        publish(zipped())
    }

    private fun zipped(): ByteArray {
        val made = ByteArrayOutputStream()
        ZipOutputStream(made).use { archive ->
            for ((path, content) in results) {
                archive.putNextEntry(ZipEntry("$RESULTS/$path"))
                archive.write(content)
                archive.closeEntry()
            }
        }
        return made.toByteArray()
    }

    private fun line(text: String): String = text.replace('\n', ' ').replace('\r', ' ')

    companion object {
        /** The package's name in the shared folder; `benchmark/farms/phone_loop.py` has the same. */
        const val PACKAGE = "pocketclip-loop.zip"

        private const val RESULTS = "pocketclip-out"
        private const val FACTS = "facts"
        private const val REQUEST = "request.json"

        /** As `timeout` ends. */
        private const val TIMED_OUT = 124

        /** Of one file; the harness takes no larger one. */
        private const val MOST_BYTES = 128L shl 20
    }
}
