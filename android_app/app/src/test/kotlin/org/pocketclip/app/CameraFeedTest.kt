package org.pocketclip.app

import android.content.Context
import android.graphics.RectF
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.view.TextureView
import android.view.View.MeasureSpec
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.camera.CameraFeed
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowCameraCharacteristics

/** How the camera's picture lies in its view. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(application = TestApplication::class)
class CameraFeedTest {
    private val application get() = RuntimeEnvironment.getApplication()

    /** The picture's sides in a view of 600 x 600 pixels; the camera gives 640 x 480. */
    private fun shown(orientation: Int): Pair<Float, Float> {
        val camera = ShadowCameraCharacteristics.newCameraCharacteristics()
        shadowOf(camera).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK)
        shadowOf(camera).set(CameraCharacteristics.SENSOR_ORIENTATION, orientation)
        shadowOf(application.getSystemService(Context.CAMERA_SERVICE) as CameraManager).addCamera("0", camera)
        val view = TextureView(application)
        view.measure(MeasureSpec.makeMeasureSpec(600, MeasureSpec.EXACTLY), MeasureSpec.makeMeasureSpec(600, MeasureSpec.EXACTLY))
        view.layout(0, 0, 600, 600)
        val feed = CameraFeed(application, view) { message -> throw AssertionError(message) }
        feed.start()
        view.surfaceTextureListener!!.onSurfaceTextureAvailable(SurfaceTexture(0), 600, 600)
        val picture = RectF(0f, 0f, 600f, 600f)
        view.getTransform(null).mapRect(picture)
        feed.stop()
        return picture.width() to picture.height()
    }

    @Test
    fun `a sensor on its side gives an upright picture to a phone that is held upright`() = assertEquals(450f to 600f, shown(90))

    @Test
    fun `a tablet's sensor need not lie on its side`() = assertEquals(600f to 450f, shown(0))
}
