package org.pocketclip.core.bench

import java.io.File
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.SafePaths
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.machine.SystemServices
import org.pocketclip.core.measuring.Fallbacks
import org.pocketclip.core.records.AgentResult
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.records.JOB_VERSION
import org.pocketclip.core.records.RESULT_VERSION
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile

/** What every job stands on: the folders, the stored models, the runtimes, the machine, and the checks of all of them. */
internal class JobGround(
    val external: Folder,
    val internal: Folder,
    val store: ModelStore,
    private val runtimes: List<InferenceRuntime>,
    val machine: Machine,
    private val services: SystemServices,
    private val application: Application,
    private val debuggableAllowed: Boolean,
    val progress: (String) -> Unit,
) {
    /** A stored model, and the artefact that it belongs to. */
    class StoredModel(val identity: String, val file: ModelFile)

    /**
     * The result of a job, a failure's too; throws only what is a mistake in this program.
     *
     * @param work is given the job's text and an empty result.
     */
    fun answer(request: Request, work: (String, AgentResult) -> AgentResult): AgentResult {
        var empty = AgentResult(RESULT_VERSION, null, application.platform, failure = null, appVersion = application.version)
        val result = try {
            val tree = Documents.parse(request.text(), request.name)
            empty = empty.copy(jobId = Documents.text(tree, "job_id"))
            val version = Documents.wholeNumber(tree, "job_version")
            if (version != JOB_VERSION) {
                bad(
                    "this application takes jobs of version $JOB_VERSION, got ${version ?: "none"}; " +
                        "install the application that belongs to the harness",
                )
            }
            work(request.text(), empty)
        } catch (error: Exception) {
            empty.copy(failure = failureOf(error))
        } catch (error: OutOfMemoryError) {
            empty.copy(failure = failureOf(error))
        }
        return result.copy(requestSha256 = request.sha256)
    }

    /** Refuses conditions under which times mean nothing; see [Preconditions.check]. */
    fun checkConditions() = Preconditions.check(application, debuggableAllowed, services.conditions())

    fun runtime(name: String): InferenceRuntime = runtimes.firstOrNull { it.name == name }
        ?: bad("no runtime is called '$name'; choose from ${runtimes.joinToString { it.name }}")

    fun options(runtime: InferenceRuntime, threads: Int, accelerator: String, loadMode: LoadMode = LoadMode.FILE): LoadOptions {
        val found = Accelerator.entries.firstOrNull { it.id == accelerator } ?: throw RequestFailure(
            FailureCode.ACCELERATOR_MISSING,
            "no accelerator is called '$accelerator'; choose from ${Accelerator.entries.joinToString { it.id }}",
        )
        if (loadMode !in runtime.loadModes) {
            bad("${runtime.name} cannot load by ${loadMode.id}; choose from ${runtime.loadModes.joinToString { it.id }}")
        }
        return LoadOptions(threads, loadMode, found)
    }

    /** Refuses what something else executed than the NPU that was asked for; see [Fallbacks.reason]. */
    fun checkExecuted(asked: String, observed: String?) {
        Fallbacks.reason(asked, observed)?.let { throw RequestFailure(FailureCode.ACCELERATOR_FALLBACK, it) }
    }

    /** The model of a job's path, if it is stored. */
    fun model(path: String): StoredModel {
        val file = internal.file(path)
        val parts = path.split('/')
        if (parts.size < 3 || parts[0] != ModelStore.FOLDER) {
            val quoted = SafePaths.quoted(path)
            bad("the model's path must be ${ModelStore.FOLDER}/<artifact_sha256>/<entry point>, got $quoted")
        }
        store.folder(parts[1])
        if (Staging.files(store, parts[1]) == null || !file.exists()) {
            bad("${SafePaths.quoted(path)} is not stored; stage the artefact first")
        }
        return StoredModel(parts[1], ModelFile(file))
    }

    /**
     * What an action with a model gives, if the model's files are as they were stored. They are looked at after it, for
     * that brings them into memory.
     */
    fun <T> unaltered(model: StoredModel, action: () -> T): T {
        val found = try {
            action()
        } catch (error: RequestFailure) {
            throw error
        } catch (error: Exception) {
            // A damaged file may be refused in many words: this one helps.
            checkUnaltered(model)
            throw error
        }
        checkUnaltered(model)
        return found
    }

    private fun checkUnaltered(model: StoredModel) {
        val fault = Staging.fault(store, model.identity) ?: return
        throw RequestFailure(FailureCode.MODEL_ALTERED, "$fault; forget the artefact and stage it again")
    }
}
