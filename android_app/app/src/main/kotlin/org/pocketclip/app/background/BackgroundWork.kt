package org.pocketclip.app.background

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.combine
import kotlinx.coroutines.flow.distinctUntilChanged
import org.pocketclip.app.measure.MeasurePresenter
import org.pocketclip.app.measure.RunState
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.pocketclip.app.search.SearchPresenter
import org.pocketclip.core.records.Tower

/** What goes on while the user does something else. */
sealed interface Work {
    data class Indexing(val progress: IndexProgress) : Work

    data class Measuring(val tower: Tower) : Work
}

/** The work under way of all screens. A measurement comes first: it is over sooner. */
class BackgroundWork(private val search: SearchPresenter, private val measure: MeasurePresenter) {
    /** Null where there is none. */
    val state: Flow<Work?> = combine(search.state, measure.state) { found, measured ->
        val run = measured.run
        val index = found.index
        when {
            run is RunState.Running -> Work.Measuring(run.tower)
            index is IndexState.Running -> Work.Indexing(index.progress)
            else -> null
        }
    }.distinctUntilChanged()

    /** Ends what is under way; indexing can be resumed. */
    fun cancel() {
        if (measure.state.value.run is RunState.Running) measure.cancel()
        if (search.state.value.index is IndexState.Running) search.cancel()
    }
}
