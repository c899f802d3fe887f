package org.pocketclip.app.ui

import android.Manifest
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.OpenDocumentTree
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.lazy.grid.GridCells
import androidx.compose.foundation.lazy.grid.GridItemSpan
import androidx.compose.foundation.lazy.grid.LazyVerticalGrid
import androidx.compose.foundation.text.KeyboardActions
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material3.Button
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.input.ImeAction
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import org.pocketclip.app.R
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.pocketclip.app.search.SearchPresenter
import org.pocketclip.app.search.SearchState

/** Photos of a folder, found by a sentence or by a photo, and those that are there twice. */
@Composable
fun SearchScreen(presenter: SearchPresenter) {
    val state by presenter.state.collectAsStateWithLifecycle()
    val context = LocalContext.current
    // Whatever the answer: without the permission only the progress outside of the application is missing.
    val notifications = rememberLauncherForActivityResult(RequestPermission()) { }
    val picker = rememberLauncherForActivityResult(OpenDocumentTree()) { tree: Uri? ->
        if (tree != null) {
            if (keepAccess(context, tree)) presenter.chooseFolder("$tree") else presenter.folderRefused()
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
                notifications.launch(Manifest.permission.POST_NOTIFICATIONS)
            }
        }
    }
    LazyVerticalGrid(
        GridCells.Adaptive(minSize = 120.dp),
        Modifier.fillMaxSize(),
        contentPadding = PaddingValues(16.dp),
        verticalArrangement = Arrangement.spacedBy(8.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
    ) {
        item(span = { GridItemSpan(maxLineSpan) }) {
            Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
                Index(presenter, state.index) { picker.launch(null) }
                if (state.folder != null) Query(presenter, state)
                FoundWords(presenter, state.found)
            }
        }
        foundPhotos(presenter, state.found)
    }
}

@Composable
private fun Index(presenter: SearchPresenter, index: IndexState, pick: () -> Unit) {
    when (index) {
        IndexState.None -> {
            Text(stringResource(R.string.search_no_folder))
            Button(onClick = pick) { Text(stringResource(R.string.search_choose_folder)) }
        }
        is IndexState.Running -> {
            Progress(index.progress)
            OutlinedButton(onClick = presenter::cancel) { Text(stringResource(R.string.cancel)) }
        }
        is IndexState.Paused -> {
            index.progress?.let { Progress(it) } ?: Text(stringResource(R.string.search_paused))
            Button(onClick = presenter::resume) { Text(stringResource(R.string.search_resume)) }
            OutlinedButton(onClick = pick) { Text(stringResource(R.string.search_other_folder)) }
        }
        is IndexState.Complete -> {
            Text(
                pluralStringResource(R.plurals.search_complete, index.progress.done, index.progress.done) +
                    unreadable(index.progress),
                Modifier.semantics { liveRegion = LiveRegionMode.Polite },
            )
            OutlinedButton(onClick = presenter::resume) { Text(stringResource(R.string.search_again)) }
            OutlinedButton(onClick = pick) { Text(stringResource(R.string.search_other_folder)) }
        }
        IndexState.PermissionRefused -> {
            Message(stringResource(R.string.search_refused))
            Button(onClick = pick) { Text(stringResource(R.string.search_choose_folder)) }
        }
        is IndexState.Failed -> {
            Message(index.message)
            Button(onClick = presenter::resume) { Text(stringResource(R.string.search_resume)) }
        }
        is IndexState.Unusable -> {
            Message(index.message)
            Button(onClick = presenter::startAnew) { Text(stringResource(R.string.search_start_anew)) }
        }
    }
}

@Composable
private fun Progress(progress: IndexProgress) {
    val words = stringResource(R.string.search_progress, progress.done, progress.total) + unreadable(progress)
    Text(words)
    LinearProgressIndicator(
        progress = { if (progress.total == 0) 0f else (progress.done + progress.unreadable).toFloat() / progress.total },
        modifier = Modifier.fillMaxWidth().semantics { contentDescription = words },
    )
}

@Composable
private fun unreadable(progress: IndexProgress): String =
    when (val count = progress.unreadable) {
        0 -> ""
        else -> pluralStringResource(R.plurals.search_unreadable, count, count)
    }

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Query(presenter: SearchPresenter, state: SearchState) {
    OutlinedTextField(
        value = state.query,
        onValueChange = presenter::setQuery,
        label = { Text(stringResource(R.string.search_sentence)) },
        singleLine = true,
        keyboardOptions = KeyboardOptions(imeAction = ImeAction.Search),
        keyboardActions = KeyboardActions(onSearch = { presenter.search() }),
        modifier = Modifier.fillMaxWidth(),
    )
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(onClick = presenter::search, enabled = state.query.isNotBlank()) { Text(stringResource(R.string.search_find)) }
        OutlinedButton(onClick = presenter::findDuplicates) { Text(stringResource(R.string.search_duplicates)) }
    }
}

/** Keeps the access over restarts; false where the provider does not give it. */
private fun keepAccess(context: Context, tree: Uri): Boolean = try {
    context.contentResolver.takePersistableUriPermission(tree, Intent.FLAG_GRANT_READ_URI_PERMISSION)
    true
} catch (_: SecurityException) {
    false
}
