package org.pocketclip.app.ui

import android.content.ContentResolver
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Build
import androidx.compose.foundation.Image
import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Box
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.produceState
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.graphics.asImageBitmap
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.semantics
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** A photo as the system names it, small; an empty place until it is read, and where it cannot be. */
@Composable
fun Photo(uri: String, description: String, modifier: Modifier = Modifier, scale: ContentScale = ContentScale.Fit) {
    val resolver = LocalContext.current.contentResolver
    val picture by produceState<ImageBitmap?>(null, uri) {
        value = withContext(Dispatchers.IO) { small(resolver, Uri.parse(uri)) }
    }
    val shown = picture
    if (shown == null) {
        Box(modifier.background(MaterialTheme.colorScheme.surfaceContainer).semantics { contentDescription = description })
    } else {
        Image(shown, description, modifier, contentScale = scale)
    }
}

private fun small(resolver: ContentResolver, uri: Uri): ImageBitmap? = try {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
        // Turns upright by EXIF.
        ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, uri)) { decoder, info, _ ->
            val longer = maxOf(info.size.width, info.size.height)
            decoder.setTargetSampleSize(maxOf(1, longer / SIDE))
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        }.asImageBitmap()
    } else {
        resolver.openInputStream(uri)?.use { input ->
            BitmapFactory.decodeStream(input, null, BitmapFactory.Options().apply { inSampleSize = OLD_SAMPLE })
        }?.asImageBitmap()
    }
} catch (_: IOException) {
    null
} catch (_: RuntimeException) {
    // A provider's own: where access was taken away or the photo was deleted, too.
    null
}

private const val SIDE = 1024
private const val OLD_SAMPLE = 4
