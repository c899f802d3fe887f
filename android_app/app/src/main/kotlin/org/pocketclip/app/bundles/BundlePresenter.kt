package org.pocketclip.app.bundles

import kotlin.coroutines.cancellation.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.worded

/** Whether there is a bundle to work with. */
sealed interface BundleState {
    /** None was imported yet. */
    data object None : BundleState

    /** One is being copied, checked and loaded. */
    data object Loading : BundleState

    /** Both towers are loaded. */
    data class Ready(val engine: Engine) : BundleState

    /** It cannot be used; [message] says why, and what to do. */
    data class Failed(val message: String) : BundleState
}

/** The bundle of all screens. Lives as long as the application's process, so that turning the phone reloads nothing. */
class BundlePresenter(
    private val scope: CoroutineScope,
    private val io: CoroutineDispatcher,
    private val store: BundleStore,
    private val preinstalled: () -> BundleSource?,
    private val load: (Bundle) -> Engine,
) {
    private val current = MutableStateFlow<BundleState>(BundleState.None)
    private var work: Job? = null
    private var ready: BundleState.Ready? = null

    val state: StateFlow<BundleState> = current.asStateFlow()

    /** Opens the active bundle, or the preinstalled one; does nothing where one is open or being opened. */
    fun start() {
        if (current.value != BundleState.None || work?.isActive == true) return
        begin {
            val folder = store.active()
            val source = if (folder == null) preinstalled() else null
            when {
                folder != null -> Bundle.open(folder)
                source != null -> store.import(source)
                else -> null
            }
        }
    }

    /** Takes another bundle over; the one before stays loaded until it is. */
    fun import(source: BundleSource) = begin { store.import(source) }

    /** Leaves a failure: back to the bundle before it, or another try where there was none. */
    fun dismiss() {
        if (current.value !is BundleState.Failed) return
        current.value = ready ?: BundleState.None
        start()
    }

    private fun begin(open: () -> Bundle?) {
        val before = work
        current.value = BundleState.Loading
        work = scope.launch {
            // One at a time: what is under way cannot be stopped, and both would write the same folder.
            before?.join()
            current.value = try {
                // Only what loads becomes the active one: the next start would fail as well.
                val engine = withContext(io) { open()?.let { bundle -> load(bundle).also { store.activate(bundle) } } }
                if (engine != null) {
                    ready?.engine?.close()
                    ready = BundleState.Ready(engine)
                }
                ready ?: BundleState.None
            } catch (error: PocketClipException) {
                BundleState.Failed(error.message.orEmpty())
            } catch (error: CancellationException) {
                throw error
            } catch (_: OutOfMemoryError) {
                BundleState.Failed("the bundle does not fit into this phone's memory; choose a smaller one")
            } catch (error: RuntimeException) {
                // What comes from outside never ends the application.
                BundleState.Failed("the bundle cannot be used (${worded(error)}); make it again, or choose another one")
            }
        }
    }
}
