package org.pocketclip.core.records

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** Of [LoopOrder]; `benchmark/farms/phone_loop.py` has the same number. */
const val LOOP_VERSION = 1

/**
 * What a hosted farm's phone carries out by itself, in order.
 *
 * @property token the name of our folder below the external one.
 * @property limitSeconds what a launch may take.
 * @property restSeconds before each launch.
 */
@Serializable
data class LoopOrder(
    @SerialName("loop_version") val loopVersion: Int,
    val token: String,
    @SerialName("limit_seconds") val limitSeconds: Int,
    @SerialName("rest_seconds") val restSeconds: Int,
    val launches: List<LoopLaunch>,
)

/** One start of the application: an action whose request lies in `<token>/requests/<folder>.json`. */
@Serializable
data class LoopLaunch(val folder: String, val action: String, @SerialName("request_sha256") val requestSha256: String)
