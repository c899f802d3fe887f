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

    /** What is stored is damaged, or of another version: it can only be made anew. */
    data class Unusable(val message: String) : IndexState
}

/**
 * A photo that was found.
 *
 * @property cosine with what was searched for; null where photos were compared with each other.
 */
data class FoundPhoto(val document: String, val name: String, val cosine: Double?)

/**
 * Photos that are alike.
 *
 * @property cosine the least that joins two of them.
 */
data class FoundGroup(val photos: List<FoundPhoto>, val cosine: Double)

/** What was found. */
sealed interface FoundState {
    data object Nothing : FoundState

    data object Searching : FoundState

    /** All photos are compared with each other. */
    data class Comparing(val percent: Int) : FoundState

    /** [photos] best first, of [searched] in all; [like] is the name of the photo that they resemble, null for a sentence. */
    data class Photos(val photos: List<FoundPhoto>, val searched: Int, val like: String? = null) : FoundState

    /** Duplicates and what is nearly one, the most alike first. */
    data class Groups(val groups: List<FoundGroup>) : FoundState

    data class Failed(val message: String) : FoundState
}
