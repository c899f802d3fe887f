package org.pocketclip.app

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.classify.CameraState
import org.pocketclip.app.classify.ClassifyPresenter
import org.pocketclip.app.classify.ResultState
import org.pocketclip.core.image.RgbImage

@OptIn(ExperimentalCoroutinesApi::class)
class ClassifyPresenterTest {
    private val engine = FakeEngine()
    private val photos = FakePhotos()
    private val bundle = MutableStateFlow<BundleState>(BundleState.Ready(engine))
    private var now = 0L

    private fun presenting(test: suspend TestScope.(ClassifyPresenter) -> Unit) = runTest(UnconfinedTestDispatcher()) {
        test(ClassifyPresenter(backgroundScope, bundle, photos) { now })
    }

    private fun ClassifyPresenter.best(): String = (state.value.result as ResultState.Ranked).found.labels.first().name

    @Test
    fun `the bundle's labels are there at first, and typed ones stay when another bundle comes`() = presenting { presenter ->
        assertEquals("red, green, blue", presenter.state.value.labelText)
        presenter.setLabels("blue")
        bundle.value = BundleState.Ready(FakeEngine(listOf("other")))
        assertEquals("blue", presenter.state.value.labelText)
        presenter.useBundleLabels()
        assertEquals("other", presenter.state.value.labelText)
    }

    @Test
    fun `a photo is ranked, and again when the labels change, without reading it again`() = presenting { presenter ->
        presenter.choosePhoto("content://green.jpg")
        assertEquals("green", presenter.best())
        presenter.setLabels("something blue, something red and green")
        assertEquals("something red and green", presenter.best())
        assertEquals(1, photos.read.size)
    }

    @Test
    fun `what cannot be read is said, and the next photo works`() = presenting { presenter ->
        presenter.choosePhoto("content://broken.jpg")
        assertTrue("no image" in (presenter.state.value.result as ResultState.Failed).message)
        presenter.choosePhoto("content://red.jpg")
        assertEquals("red", presenter.best())
    }

    @Test
    fun `without labels nothing is asked of the model`() = presenting { presenter ->
        presenter.setLabels(" , ")
        presenter.choosePhoto("content://red.jpg")
        assertEquals(ResultState.Empty, presenter.state.value.result)
        assertEquals(0, engine.classified)
    }

    @Test
    fun `a photo chosen while another is classified takes its place`() = presenting { presenter ->
        val gate = CompletableDeferred<Unit>()
        engine.gate = gate
        presenter.choosePhoto("content://red.jpg")
        presenter.choosePhoto("content://blue.jpg")
        gate.complete(Unit)
        assertEquals("blue", presenter.best())
        assertEquals("the first was cancelled", 1, engine.classified)
    }

    @Test
    fun `live frames are dropped while one is worked on`() = presenting { presenter ->
        presenter.startCamera(framesPerSecond = 10)
        val gate = CompletableDeferred<Unit>()
        engine.gate = gate
        var reads = 0
        val blue = RgbImage(1, 1, byteArrayOf(0, 0, 100))
        repeat(5) {
            presenter.frame {
                reads++
                blue
            }
            now += 200_000_000
        }
        assertEquals("pixels of dropped frames are not even read", 1, reads)
        assertEquals(4L, (presenter.state.value.camera as CameraState.Live).dropped)
        gate.complete(Unit)
        assertEquals("blue", presenter.best())
        presenter.stopCamera()
        presenter.frame {
            reads++
            blue
        }
        assertEquals(1, reads)
        assertEquals(CameraState.Off, presenter.state.value.camera)
    }

    @Test
    fun `a refused permission and a failed camera are states of their own`() = presenting { presenter ->
        presenter.cameraRefused()
        assertEquals(CameraState.PermissionRefused, presenter.state.value.camera)
        presenter.startCamera()
        presenter.cameraFailed("another app took the camera")
        assertEquals(CameraState.Failed("another app took the camera"), presenter.state.value.camera)
    }
}
