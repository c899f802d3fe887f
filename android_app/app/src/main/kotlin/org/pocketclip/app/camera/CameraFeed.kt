package org.pocketclip.app.camera

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.Matrix
import android.graphics.RectF
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.os.Handler
import android.os.Looper
import android.util.Size
import android.view.Surface
import android.view.TextureView
import org.pocketclip.core.image.Orientation
import org.pocketclip.core.image.RgbImage
import org.pocketclip.machine.rgb

/**
 * Shows the back camera in a [TextureView], by Camera2 alone. On the main thread; the camera's own work is not.
 *
 * @param failed is told why there is no picture.
 */
class CameraFeed(private val context: Context, private val view: TextureView, private val failed: (String) -> Unit) {
    private val manager = context.getSystemService(Context.CAMERA_SERVICE) as CameraManager
    private val handler = Handler(Looper.getMainLooper())
    private var device: CameraDevice? = null
    private var session: CameraCaptureSession? = null
    private var surface: Surface? = null
    private var started = false
    private var size = Size(WIDTH, HEIGHT)

    /** The sides of the picture while the phone is held upright: the sensor of most lies on its side. */
    private var upright = Size(HEIGHT, WIDTH)

    /** Whether there are frames. */
    val streaming: Boolean get() = session != null

    /** The picture that is shown now, upright; null where there is none. */
    fun read(): RgbImage? {
        // Without the view's transform: as the phone is held upright.
        val image = view.getBitmap(upright.width, upright.height)?.rgb() ?: return null
        return when (rotation) {
            Surface.ROTATION_90 -> Orientation.ROTATED_270
            Surface.ROTATION_180 -> Orientation.ROTATED_180
            Surface.ROTATION_270 -> Orientation.ROTATED_90
            else -> Orientation.NORMAL
        }.apply(image)
    }

    fun start() {
        started = true
        view.surfaceTextureListener = object : TextureView.SurfaceTextureListener {
            override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) = open(texture)

            override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = fit()

            override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean {
                close()
                return true
            }

            override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit
        }
        if (view.isAvailable) view.surfaceTexture?.let(::open)
    }

    fun stop() {
        started = false
        close()
    }

    // The screen starts the feed only once the permission was given; taken away meanwhile, it is a SecurityException.
    @SuppressLint("MissingPermission")
    private fun open(texture: SurfaceTexture) {
        if (!started || device != null) return
        try {
            val id = manager.cameraIdList.firstOrNull { facing(it) == CameraCharacteristics.LENS_FACING_BACK }
                ?: manager.cameraIdList.firstOrNull()
                ?: return failed("this device has no camera")
            size = sizeOf(id)
            upright = if (sensorLiesOnItsSide(id)) Size(size.height, size.width) else size
            texture.setDefaultBufferSize(size.width, size.height)
            fit()
            manager.openCamera(id, Opened(texture), handler)
        } catch (error: CameraAccessException) {
            failed("the camera cannot be opened: ${error.message}")
        } catch (error: SecurityException) {
            failed("the camera may not be used: ${error.message}")
        }
    }

    private inner class Opened(private val texture: SurfaceTexture) : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (!started) return camera.close()
            device = camera
            val target = Surface(texture).also { surface = it }
            try {
                @Suppress("DEPRECATION") // Its successor needs Android 9.
                camera.createCaptureSession(listOf(target), Configured(camera, target), handler)
            } catch (error: CameraAccessException) {
                failed("the camera gives no picture: ${error.message}")
            }
        }

        override fun onDisconnected(camera: CameraDevice) {
            close()
            failed("another app took the camera")
        }

        override fun onError(camera: CameraDevice, error: Int) {
            close()
            failed("the camera failed with the code $error")
        }
    }

    private inner class Configured(private val camera: CameraDevice, private val target: Surface) :
        CameraCaptureSession.StateCallback() {
        override fun onConfigured(configured: CameraCaptureSession) {
            if (device !== camera) return
            try {
                val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply { addTarget(target) }
                request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                configured.setRepeatingRequest(request.build(), null, handler)
                session = configured
            } catch (error: CameraAccessException) {
                failed("the camera gives no picture: ${error.message}")
            }
        }

        override fun onConfigureFailed(configured: CameraCaptureSession) = failed("the camera refuses pictures of $size")
    }

    private fun close() {
        session = null
        device?.close()
        device = null
        surface?.release()
        surface = null
    }

    private fun facing(id: String): Int? = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

    private fun sensorLiesOnItsSide(id: String): Boolean {
        val orientation = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION)
        return (orientation ?: USUAL_ORIENTATION) % 180 == 90
    }

    /** The size nearest to what models need; larger ones only cost time. */
    private fun sizeOf(id: String): Size {
        val map = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
        return map?.getOutputSizes(SurfaceTexture::class.java).orEmpty()
            .filter { it.width >= WIDTH && it.height >= HEIGHT }
            .minByOrNull { it.width.toLong() * it.height } ?: Size(WIDTH, HEIGHT)
    }

    /**
     * Keeps the picture's proportions, whatever the view's and however the phone is turned. The surface's content lies as
     * the phone is held upright.
     */
    private fun fit() {
        if (view.width == 0 || view.height == 0) return
        val bounds = RectF(0f, 0f, view.width.toFloat(), view.height.toFloat())
        val picture = RectF(0f, 0f, upright.width.toFloat(), upright.height.toFloat())
        picture.offset(bounds.centerX() - picture.centerX(), bounds.centerY() - picture.centerY())
        val (shownWidth, shownHeight) = if (sideways) upright.height to upright.width else upright.width to upright.height
        val scale = minOf(bounds.width() / shownWidth, bounds.height() / shownHeight)
        view.setTransform(
            Matrix().apply {
                setRectToRect(bounds, picture, Matrix.ScaleToFit.FILL)
                postScale(scale, scale, bounds.centerX(), bounds.centerY())
                if (sideways) postRotate(QUARTER * (rotation - 2), bounds.centerX(), bounds.centerY())
            },
        )
    }

    private val rotation: Int get() = view.display?.rotation ?: Surface.ROTATION_0
    private val sideways: Boolean get() = rotation == Surface.ROTATION_90 || rotation == Surface.ROTATION_270

    private companion object {
        const val WIDTH = 640
        const val HEIGHT = 480
        const val QUARTER = 90f

        /** Degrees. */
        const val USUAL_ORIENTATION = 90
    }
}
