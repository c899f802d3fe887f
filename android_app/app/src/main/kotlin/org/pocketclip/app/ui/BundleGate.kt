package org.pocketclip.app.ui

import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.OpenDocument
import androidx.activity.result.contract.ActivityResultContracts.OpenDocumentTree
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import org.pocketclip.app.AppContainer
import org.pocketclip.app.R
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.BundleSummary

/** Shows [content] where there is a bundle, and elsewhere what is missing and how to come by it. */
@Composable
fun BundleGate(container: AppContainer, bundle: BundleState, content: @Composable () -> Unit) {
    when (bundle) {
        is BundleState.Ready -> Column(Modifier.fillMaxSize()) {
            WhereTowersRun(bundle.engine.summary)
            Box(Modifier.weight(1f)) { content() }
        }
        BundleState.Loading -> Notice(
            stringResource(R.string.bundle_loading_title),
            stringResource(R.string.bundle_loading_text),
        ) {
            CircularProgressIndicator()
        }
        BundleState.None -> Notice(stringResource(R.string.bundle_none_title), stringResource(R.string.bundle_none_text)) {
            ImportButtons(container)
        }
        is BundleState.Failed -> Notice(stringResource(R.string.bundle_failed_title), bundle.message) {
            ImportButtons(container)
            OutlinedButton(onClick = container.bundles::dismiss) { Text(stringResource(R.string.go_back)) }
        }
    }
}

/** Of bundles with variants for NPUs: what runs there, and what does not and why. It is never left unsaid. */
@Composable
private fun WhereTowersRun(summary: BundleSummary) {
    for ((name, tower) in listOf(R.string.tower_image to summary.image, R.string.tower_text to summary.text)) {
        val words = when {
            tower.npu != null -> stringResource(R.string.bundle_on_npu, stringResource(name), tower.npu.soc, tower.npu.precision)
            tower.whyNotNpu != null -> stringResource(R.string.bundle_not_on_npu, stringResource(name), tower.whyNotNpu)
            else -> continue
        }
        Text(words, Modifier.padding(horizontal = 16.dp, vertical = 4.dp), style = MaterialTheme.typography.bodySmall)
    }
}

/** A heading, words below it, which TalkBack reads when they change, and what can be done. Scrolls where text is large. */
@Composable
fun Notice(title: String, text: String, modifier: Modifier = Modifier, actions: @Composable () -> Unit = {}) {
    Column(
        modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(24.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
        horizontalAlignment = Alignment.CenterHorizontally,
    ) {
        Text(title, style = MaterialTheme.typography.headlineSmall, modifier = Modifier.semantics { heading() })
        Text(text, modifier = Modifier.semantics { liveRegion = LiveRegionMode.Polite })
        actions()
    }
}

@Composable
private fun ImportButtons(container: AppContainer) {
    val zip = rememberZipPicker(container)
    val folder = rememberFolderPicker(container)
    Button(onClick = zip) { Text(stringResource(R.string.import_zip)) }
    OutlinedButton(onClick = folder) { Text(stringResource(R.string.import_folder)) }
}

/** The menu of the title bar: another bundle in place of this one. */
@Composable
fun ImportMenu(container: AppContainer) {
    var open by remember { mutableStateOf(false) }
    val zip = rememberZipPicker(container)
    val folder = rememberFolderPicker(container)
    IconButton(onClick = { open = true }) {
        Icon(painterResource(R.drawable.ic_import), stringResource(R.string.import_other))
    }
    DropdownMenu(expanded = open, onDismissRequest = { open = false }) {
        DropdownMenuItem(text = { Text(stringResource(R.string.import_zip)) }, onClick = {
            open = false
            zip()
        })
        DropdownMenuItem(text = { Text(stringResource(R.string.import_folder)) }, onClick = {
            open = false
            folder()
        })
    }
}

@Composable
private fun rememberZipPicker(container: AppContainer): () -> Unit {
    val launcher = rememberLauncherForActivityResult(OpenDocument()) { uri: Uri? ->
        uri?.let { container.bundles.import(container.documentBundles.zip(it)) }
    }
    // Providers name zips in several ways; what is no bundle is refused after it was looked into.
    return { launcher.launch(arrayOf("application/zip", "application/octet-stream", "application/x-zip-compressed")) }
}

@Composable
private fun rememberFolderPicker(container: AppContainer): () -> Unit {
    val launcher = rememberLauncherForActivityResult(OpenDocumentTree()) { uri: Uri? ->
        uri?.let { container.bundles.import(container.documentBundles.folder(it)) }
    }
    return { launcher.launch(null) }
}
