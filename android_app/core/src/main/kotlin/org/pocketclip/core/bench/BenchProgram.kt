package org.pocketclip.core.bench

import java.io.File
import java.io.IOException
import java.util.Locale
import kotlinx.serialization.KSerializer
import org.pocketclip.core.Documents
import org.pocketclip.core.ExecutionException
import org.pocketclip.core.Hashing
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.machine.SystemServices
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.AppFacts
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.ForgetAnswer
import org.pocketclip.core.records.ForgetRequest
import org.pocketclip.core.records.JOB_VERSION
import org.pocketclip.core.records.RESULT_VERSION
import org.pocketclip.core.records.StageAnswer
import org.pocketclip.core.records.StageRequest
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

        /** The key of the reason in the place of a result, where there is no answer; the harness looks for both. */
        const val ERROR = "error"

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
 * @param decoder of photographs, the same that the application indexes with.
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
    private val decoder: PhotoDecoder,
    private val machine: Machine,
    private val services: SystemServices,
    private val application: Application,
    private val debuggableAllowed: Boolean = false,
    private val progress: (String) -> Unit = {},
) {
    /**
     * Carries out an action of the protocol and writes its answer, also where it failed.
     *
     * @param action `facts`, `stage`, `forget`, `measure` or `throughput`.
     * @param request the request's path below the external folder; null for `facts`.
     * @param requestSha256 of the request as it was sent; null where nobody tells.
     * @throws org.pocketclip.core.MachineException the answer cannot be written.
     * @throws org.pocketclip.core.InputException there is no such action, it lacks its request, or the request was
     * changed: nothing was done.
     */
    fun run(action: String, request: String?, requestSha256: String? = null): Answer {
        val kind = Action.entries.firstOrNull { it.id == action }
            ?: throw InputException("no action is called '$action'; choose from ${Action.entries.joinToString { it.id }}")
        copies.clear()
        if (kind == Action.FACTS) return answer(File(external, Action.FACTS.id), write(AppFacts.serializer(), facts()))
        val file = requestFile(kind, request)
        val read = Request.read(file, requestSha256)
        val content = when (kind) {
            Action.STAGE -> write(StageAnswer.serializer(), stage(read))
            Action.FORGET -> write(ForgetAnswer.serializer(), forget(read))
            Action.THROUGHPUT -> write(AgentResult.serializer(), ThroughputAction(ground(), copies, decoder).run(read))
            else -> write(AgentResult.serializer(), MeasureAction(ground()).run(read))
        }
        return answer(checkNotNull(file.parentFile), content)
    }

    private enum class Action {
        FACTS,
        STAGE,
        FORGET,
        MEASURE,
        THROUGHPUT,
        ;

        val id: String get() = name.lowercase(Locale.ROOT)
    }

    private val shared = Folder(external)
    private val store = ModelStore(internal)
    private val copies = PhotoCopies(shared, internal)

    private fun facts(): AppFacts {
        val versions = runtimes.associate { it.name to version(it) }
        val loaded = runtimes.filter { versions[it.name] != null }
        return AppFacts(
            appVersion = application.version,
            platform = application.platform,
            resultVersion = RESULT_VERSION,
            jobVersion = JOB_VERSION,
            runtimes = versions,
            accelerators = loaded.associate { runtime -> runtime.name to runtime.accelerators.map { it.id }.sorted() },
            models = store.stored(),
            freeBytes = store.freeBytes(),
            debuggable = application.debuggable,
        )
    }

    private fun stage(request: Request): StageAnswer = try {
        Staging(shared, store).stage(read(StageRequest.serializer(), request))
        StageAnswer(staged = true)
    } catch (error: Exception) {
        StageAnswer(staged = false, failureOf(error))
    }

    private fun forget(request: Request): ForgetAnswer = try {
        val identities = read(ForgetRequest.serializer(), request).artifactSha256
        // All of them are looked at before the first is removed.
        identities.forEach(store::folder)
        ForgetAnswer(identities.filter(store::remove))
    } catch (error: Exception) {
        ForgetAnswer(emptyList(), failureOf(error))
    }

    private fun ground() =
        JobGround(shared, Folder(internal), store, runtimes, machine, services, application, debuggableAllowed, progress)

    private fun requestFile(action: Action, request: String?): File {
        if (request == null) throw InputException("${action.id} needs a request: a path below the external folder")
        try {
            return shared.file(request).also {
                if ('/' !in request) throw InputException("the request '$request' must lie in a folder of its own")
            }
        } catch (error: RequestFailure) {
            throw InputException("${FailureCode.PATH_OUTSIDE.id}: ${error.message}", error)
        }
    }

    private fun <T> read(serializer: KSerializer<T>, request: Request): T =
        Documents.read(serializer, request.text(), request.name)

    private fun <T> write(serializer: KSerializer<T>, value: T): ByteArray = Documents.write(serializer, value).toByteArray()

    private fun answer(folder: File, content: ByteArray): Answer {
        val file = File(folder, RESULT_NAME)
        try {
            Hashing.writeWhole(file, content)
        } catch (error: IOException) {
            throw MachineException("cannot write the answer $file: ${error.message}", error)
        }
        return Answer(file, content.size.toLong(), Hashing.sha256(content))
    }

    /** Null where it cannot be loaded. */
    private fun version(runtime: InferenceRuntime): String? = try {
        runtime.prepare()
        runtime.version ?: runtime.name
    } catch (ignored: ExecutionException) {
        null
    }

    private companion object {
        const val RESULT_NAME = "result.json"
    }
}
