package org.pocketclip.app.classify

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.Classified
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.image.RgbImage

/**
 * The screen Try without its views: which photo, which labels, what was found. It outlives rotation, and so does a
 * classification that is under way.
 *
 * @param clockNs a clock that does not jump.
 */
class ClassifyPresenter(
    private val scope: CoroutineScope,
    private val bundle: StateFlow<BundleState>,
    private val photos: PhotoReader,
    private val clockNs: () -> Long = System::nanoTime,
) {
    private val current = MutableStateFlow(ClassifyState())
    private var image: RgbImage? = null
    private var work: Job? = null
    private var gate: FrameGate? = null

    val state: StateFlow<ClassifyState> = current.asStateFlow()

    init {
        scope.launch {
            bundle.collect { state ->
                if (state is BundleState.Ready) {
                    // Labels that were typed are kept when another bundle comes.
                    val own = LabelText.join(state.engine.summary.labels)
                    current.update { if (it.labelText.isEmpty()) it.copy(labelText = own) else it }
                    classifyAgain()
                }
            }
        }
    }

    /** Labels as typed, between commas. The photo is ranked anew. */
    fun setLabels(text: String) {
        current.update { it.copy(labelText = text) }
        classifyAgain()
    }

    /** Goes back to the labels that the bundle brings. */
    fun useBundleLabels() {
        val engine = (bundle.value as? BundleState.Ready)?.engine ?: return
        setLabels(LabelText.join(engine.summary.labels))
    }

    fun choosePhoto(uri: String) {
        stopCamera()
        current.update { it.copy(photo = uri, result = ResultState.Working(null)) }
        image = null
        work?.cancel()
        work = scope.launch {
            try {
                image = photos.read(uri)
                classify()
            } catch (error: PocketClipException) {
                current.update { it.copy(result = ResultState.Failed(error.message.orEmpty())) }
            }
        }
    }

    fun startCamera(framesPerSecond: Int = FRAMES_PER_SECOND) {
        work?.cancel()
        gate = FrameGate(framesPerSecond)
        current.update { it.copy(photo = null, result = ResultState.Empty, camera = CameraState.Live(framesPerSecond, null, 0)) }
    }

    fun stopCamera() {
        gate = null
        current.update { if (it.camera == CameraState.Off) it else it.copy(camera = CameraState.Off) }
    }

    fun cameraRefused() = current.update { it.copy(camera = CameraState.PermissionRefused) }

    fun cameraFailed(message: String) {
        gate = null
        current.update { it.copy(camera = CameraState.Failed(message)) }
    }

    /**
     * Offers a frame of the live camera; only asks for its pixels where it is worked on.
     *
     * Called on the main thread, as everything here.
     */
    fun frame(read: () -> RgbImage?) {
        val gate = gate ?: return
        if (bundle.value !is BundleState.Ready || !gate.take(clockNs())) {
            showRate(gate)
            return
        }
        scope.launch {
            try {
                read()?.let {
                    image = it
                    classify()
                }
            } catch (error: PocketClipException) {
                current.update { it.copy(result = ResultState.Failed(error.message.orEmpty())) }
            } finally {
                gate.done(clockNs())
                showRate(gate)
            }
        }
    }

    private fun showRate(gate: FrameGate) {
        if (this.gate !== gate) return
        current.update {
            it.copy(camera = CameraState.Live(gate.framesPerSecond, gate.measuredPerSecond(), gate.dropped))
        }
    }

    private fun classifyAgain() {
        if (image == null || gate != null) return
        work?.cancel()
        work = scope.launch {
            try {
                classify()
            } catch (error: PocketClipException) {
                current.update { it.copy(result = ResultState.Failed(error.message.orEmpty())) }
            }
        }
    }

    private suspend fun classify() {
        val photo = image ?: return
        val engine = (bundle.value as? BundleState.Ready)?.engine ?: return
        val labels = LabelText.parse(current.value.labelText)
        if (labels.isEmpty()) {
            current.update { it.copy(result = ResultState.Empty) }
            return
        }
        current.update { it.copy(result = ResultState.Working(shown(it.result))) }
        val found = engine.classify(photo, labels)
        current.update { it.copy(result = ResultState.Ranked(found)) }
    }

    private fun shown(result: ResultState): Classified? = when (result) {
        is ResultState.Ranked -> result.found
        is ResultState.Working -> result.before
        else -> null
    }

    companion object {
        /** What the live camera asks for: enough to follow a hand, and cool enough to go on. */
        const val FRAMES_PER_SECOND = 5
    }
}
