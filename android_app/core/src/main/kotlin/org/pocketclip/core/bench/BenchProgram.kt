package org.pocketclip.core.bench

import java.io.File
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.machine.SystemServices
import org.pocketclip.core.runtime.InferenceRuntime

/**
 * The application that the program runs in.
 *
 * @property version of the application; null where it has none.
 * @property platform e.g. `Android 15 (API 35)`.
 * @property debuggable whether it is a debug build, whose times mean little; null where that is unknown.
 */
data class Application(val version: String?, val platform: String, val debuggable: Boolean?)

/**
 * Where an answer was put, so that whoever reads it can tell whether it came whole.
 *
 * @property file holds the answer, in the request's folder.
 * @property line `pocketclip=<bytes> <sha256>` of it, as the harness reads it.
 */
data class Answer(val file: File, val bytes: Long, val sha256: String) {
    val line: String get() = "$KEY=$value"

    /** The value of the result [KEY]. */
    val value: String get() = "$bytes $sha256"

    companion object {
        /** The key of the instrumentation's result. */
        const val KEY = "pocketclip"

        /** The key of the instrumentation's status. */
        const val PROGRESS = "progress"
    }
}

/**
 * The program that the harness talks to: one action, one answer, in a process of its own.
 *
 * @param external the folder that is shared with the harness; requests, inputs and answers lie there.
 * @param internal the application's own folder; models are stored and measured there.
 * @param runtimes that the application has.
 * @param machine that it runs on.
 * @param services what the system says before a measurement: charge, power saver, temperature.
 * @param application what it is.
 * @param debuggableAllowed measures in a debug build too; for trying the program out.
 * @param progress called with a few words now and then.
 */
class BenchProgram(
    private val external: File,
    private val internal: File,
    private val runtimes: List<InferenceRuntime>,
    private val machine: Machine,
    private val services: SystemServices,
    private val application: Application,
    private val debuggableAllowed: Boolean = false,
    private val progress: (String) -> Unit = {},
) {
    /**
     * Carries out an action of the protocol and writes its answer, also where it failed.
     *
     * @param action `facts`, `stage`, `forget` or `measure`.
     * @param request the request's path below the external folder; null for `facts`.
     * @throws org.pocketclip.core.MachineException the answer cannot be written.
     * @throws org.pocketclip.core.InputException there is no such action, or it lacks its request: nothing was done.
     */
    fun run(action: String, request: String?): Answer = TODO("follows")
}
