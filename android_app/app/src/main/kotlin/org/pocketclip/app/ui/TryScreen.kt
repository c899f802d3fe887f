package org.pocketclip.app.ui

import android.Manifest
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.Settings
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.activity.result.contract.ActivityResultContracts.TakePicture
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.core.content.FileProvider
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import java.io.File
import org.pocketclip.app.R
import org.pocketclip.app.bundles.Classified
import org.pocketclip.app.camera.CameraView
import org.pocketclip.app.classify.CameraState
import org.pocketclip.app.classify.ClassifyPresenter
import org.pocketclip.app.classify.ClassifyState
import org.pocketclip.app.classify.ResultState
import org.pocketclip.app.photos.CameraPhotos
import org.pocketclip.core.inference.RankedLabel

/** A photo, labels, and which of them it shows. */
@Composable
fun TryScreen(presenter: ClassifyPresenter) {
    val state by presenter.state.collectAsStateWithLifecycle()
    Column(
        Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(16.dp),
        verticalArrangement = Arrangement.spacedBy(12.dp),
    ) {
        Sources(presenter, state)
        Picture(presenter, state)
        OutlinedTextField(
            value = state.labelText,
            onValueChange = presenter::setLabels,
            label = { Text(stringResource(R.string.labels)) },
            supportingText = { Text(stringResource(R.string.labels_help)) },
            modifier = Modifier.fillMaxWidth(),
        )
        TextButton(onClick = presenter::useBundleLabels) { Text(stringResource(R.string.labels_of_bundle)) }
        Results(state.result)
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Sources(presenter: ClassifyPresenter, state: ClassifyState) {
    val context = LocalContext.current
    val photos = remember { CameraPhotos(File(context.cacheDir, "photos")) }
    var target by rememberSaveable { mutableStateOf<String?>(null) }
    // Android asks for the permission for other apps' camera, too, where an app has it in its manifest.
    var live by rememberSaveable { mutableStateOf(false) }
    val gallery = rememberLauncherForActivityResult(PickVisualMedia()) { uri: Uri? -> uri?.let { presenter.choosePhoto("$it") } }
    val camera = rememberLauncherForActivityResult(TakePicture()) { taken ->
        target?.let(::File)?.let { photo ->
            if (taken) {
                photos.keepOnly(photo)
                presenter.choosePhoto("${shared(context, photo)}")
            } else {
                photos.giveUp(photo)
            }
        }
    }
    val permission = rememberLauncherForActivityResult(RequestPermission()) { granted ->
        when {
            !granted -> presenter.cameraRefused()
            live -> presenter.startCamera()
            else -> {
                val photo = photos.next()
                target = photo.path
                camera.launch(shared(context, photo))
            }
        }
    }
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(onClick = { gallery.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) }) {
            Text(stringResource(R.string.photo_from_gallery))
        }
        OutlinedButton(onClick = {
            live = false
            permission.launch(Manifest.permission.CAMERA)
        }) {
            Text(stringResource(R.string.photo_from_camera))
        }
        if (state.camera is CameraState.Live) {
            OutlinedButton(onClick = presenter::stopCamera) { Text(stringResource(R.string.camera_stop)) }
        } else {
            OutlinedButton(onClick = {
                live = true
                permission.launch(Manifest.permission.CAMERA)
            }) {
                Text(stringResource(R.string.camera_start))
            }
        }
    }
}

@Composable
private fun Picture(presenter: ClassifyPresenter, state: ClassifyState) {
    when (val camera = state.camera) {
        is CameraState.Live -> {
            CameraView(
                onFrame = presenter::frame,
                onFailure = presenter::cameraFailed,
                modifier = Modifier.fillMaxWidth().height(240.dp),
            )
            val measured = camera.measuredPerSecond
            Text(
                if (measured == null) {
                    stringResource(R.string.camera_rate_asked, camera.framesPerSecond)
                } else {
                    stringResource(R.string.camera_rate, camera.framesPerSecond, measured, camera.dropped)
                },
                style = MaterialTheme.typography.bodySmall,
            )
        }
        CameraState.PermissionRefused -> PermissionRefused()
        is CameraState.Failed -> Message(stringResource(R.string.camera_failed, camera.message))
        CameraState.Off -> state.photo?.let {
            Photo(it, stringResource(R.string.photo_description), Modifier.fillMaxWidth().height(240.dp))
        }
    }
}

@Composable
private fun PermissionRefused() {
    val context = LocalContext.current
    Message(stringResource(R.string.camera_refused))
    OutlinedButton(onClick = {
        val settings = Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", context.packageName, null))
        context.startActivity(settings)
    }) { Text(stringResource(R.string.open_settings)) }
}

/** Words that TalkBack reads as soon as they appear. */
@Composable
internal fun Message(text: String) {
    Text(text, color = MaterialTheme.colorScheme.error, modifier = Modifier.semantics { liveRegion = LiveRegionMode.Polite })
}

@Composable
private fun Results(result: ResultState) {
    when (result) {
        ResultState.Empty -> Text(stringResource(R.string.result_empty))
        is ResultState.Working -> {
            val working = stringResource(R.string.result_working)
            LinearProgressIndicator(Modifier.fillMaxWidth().semantics { contentDescription = working })
            result.before?.let { Ranking(it) }
        }
        is ResultState.Ranked -> Ranking(result.found)
        is ResultState.Failed -> Message(result.message)
    }
}

@Composable
private fun Ranking(found: Classified) {
    val best = found.labels.first()
    val spoken = stringResource(R.string.result_best, best.name, percent(best.ranked.probability))
    Column(
        // The best one is read when it changes; the rows can be gone through.
        Modifier.semantics {
            liveRegion = LiveRegionMode.Polite
            contentDescription = spoken
        },
        verticalArrangement = Arrangement.spacedBy(8.dp),
    ) {
        found.labels.take(SHOWN).forEach { Bar(it) }
    }
    val text = found.textNs
    Text(stringResource(R.string.time_image, milliseconds(found.imageNs), milliseconds(found.preparationNs)))
    Text(if (text == null) stringResource(R.string.time_text_cached) else stringResource(R.string.time_text, milliseconds(text)))
}

@Composable
private fun Bar(label: RankedLabel) {
    val probability = percent(label.ranked.probability)
    val row = stringResource(R.string.result_row, label.name, probability)
    Column(Modifier.fillMaxWidth().clearAndSetSemantics { contentDescription = row }) {
        Text(row)
        LinearProgressIndicator(progress = { label.ranked.probability.toFloat() }, modifier = Modifier.fillMaxWidth())
    }
}

/** The photo's name for the camera application. */
private fun shared(context: Context, photo: File): Uri =
    FileProvider.getUriForFile(context, "${context.packageName}.files", photo)

private const val SHOWN = 10
