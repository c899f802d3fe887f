package org.pocketclip.app.classify

import org.pocketclip.app.bundles.Classified

/** What the screen Try shows beside the bundle. */
data class ClassifyState(
    val labelText: String = "",
    val photo: String? = null,
    val result: ResultState = ResultState.Empty,
    val camera: CameraState = CameraState.Off,
)

/** What came of the photo. */
sealed interface ResultState {
    /** No photo was chosen. */
    data object Empty : ResultState

    /** The photo is being read or classified; [before] may be shown meanwhile. */
    data class Working(val before: Classified?) : ResultState

    data class Ranked(val found: Classified) : ResultState

    data class Failed(val message: String) : ResultState
}

/** The live camera. */
sealed interface CameraState {
    data object Off : CameraState

    /** The user said no. */
    data object PermissionRefused : CameraState

    /**
     * Frames are classified as they come, [framesPerSecond] at most; those in between are dropped, never queued.
     *
     * @property measuredPerSecond what was reached over the last seconds; null before two frames were done.
     */
    data class Live(val framesPerSecond: Int, val measuredPerSecond: Double?, val dropped: Long) : CameraState

    data class Failed(val message: String) : CameraState
}
