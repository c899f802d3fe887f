package org.pocketclip.app.camera

import android.view.TextureView
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberUpdatedState
import androidx.compose.runtime.withFrameNanos
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.viewinterop.AndroidView
import androidx.lifecycle.compose.LifecycleStartEffect
import org.pocketclip.app.R
import org.pocketclip.core.image.RgbImage

/**
 * The picture of the back camera. Each frame that the screen draws is offered; pixels are only copied where one is taken.
 *
 * @param onFrame is given a function that reads the frame's pixels, null where there are none yet.
 */
@Composable
fun CameraView(onFrame: (read: () -> RgbImage?) -> Unit, onFailure: (String) -> Unit, modifier: Modifier = Modifier) {
    val context = LocalContext.current
    val frame by rememberUpdatedState(onFrame)
    val failed by rememberUpdatedState(onFailure)
    val view = remember { TextureView(context) }
    val feed = remember { CameraFeed(context, view) { message -> failed(message) } }
    // Not while another application is in front: the system takes the camera away from those behind.
    LifecycleStartEffect(feed) {
        feed.start()
        onStopOrDispose { feed.stop() }
    }
    LaunchedEffect(feed) {
        while (true) {
            withFrameNanos { }
            if (feed.streaming) frame(feed::read)
        }
    }
    val description = stringResource(R.string.camera_description)
    AndroidView(factory = { view }, modifier = modifier.semantics { contentDescription = description })
}
