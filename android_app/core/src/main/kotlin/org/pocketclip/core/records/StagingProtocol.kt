package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** The answer to `facts`. */
@Serializable
data class AppFacts(
    @SerialName("app_version") val appVersion: String?,
    val platform: String,
    @SerialName("result_version") val resultVersion: Int,
    @SerialName("job_version") val jobVersion: Int,
    /** Names with versions; null where a runtime cannot be loaded. */
    val runtimes: Map<String, String?>,
    /** What each runtime that can be loaded offers. */
    val accelerators: Map<String, List<String>>,
    /** Identities of the artefacts that are stored. */
    val models: List<String>,
    @SerialName("free_bytes") val freeBytes: Long?,
    val debuggable: Boolean?,
)

/** A file as a manifest lists it: path below the folder (POSIX), size and hash. */
@Serializable
data class FileEntry(val path: String, @SerialName("size_bytes") val sizeBytes: Long, val sha256: String)

/** The request of `stage`: files in [folder] below the external folder become `models/<artifact_sha256>/`. */
@Serializable
data class StageRequest(
    @SerialName("artifact_sha256") val artifactSha256: String,
    val folder: String,
    val files: List<FileEntry>,
)

/** The answer to `stage`. */
@Serializable
data class StageAnswer(val staged: Boolean, val failure: Failure? = null)

/** The request of `forget`. */
@Serializable
data class ForgetRequest(@SerialName("artifact_sha256") val artifactSha256: List<String>)

/** The answer to `forget`: which of them were there. */
@Serializable
data class ForgetAnswer(val forgotten: List<String>, val failure: Failure? = null)
