package org.pocketclip.app.search

/** What the screen Search shows beside the bundle. */
data class SearchState(
    val folder: String? = null,
    val index: IndexState = IndexState.None,
    val query: String = "",
    val found: FoundState = FoundState.Nothing,
)

/** The index of the folder. */
sealed interface IndexState {
    /** No folder was picked. */
    data object None : IndexState

    data class Running(val progress: IndexProgress) : IndexState

    /** Cancelled, or the application was closed meanwhile: it can be resumed. */
    data class Paused(val progress: IndexProgress?) : IndexState

    data class Complete(val progress: IndexProgress) : IndexState

    /** The system does not let us read the folder any more. */
    data object PermissionRefused : IndexState

    data class Failed(val message: String) : IndexState
}

/** A photo that was found. */
data class FoundPhoto(val document: String, val name: String, val cosine: Double)

/** What a sentence found. */
sealed interface FoundState {
    data object Nothing : FoundState

    data object Searching : FoundState

    /** [photos] best first, of [searched] in all. */
    data class Photos(val photos: List<FoundPhoto>, val searched: Int) : FoundState

    data class Failed(val message: String) : FoundState
}
