package org.pocketclip.app.ui

import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.aspectRatio
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.lazy.grid.GridItemSpan
import androidx.compose.foundation.lazy.grid.LazyGridScope
import androidx.compose.foundation.lazy.grid.items
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import org.pocketclip.app.R
import org.pocketclip.app.search.FoundGroup
import org.pocketclip.app.search.FoundPhoto
import org.pocketclip.app.search.FoundState
import org.pocketclip.app.search.SearchPresenter

/** How a search went, in words. */
@Composable
internal fun FoundWords(presenter: SearchPresenter, found: FoundState) {
    when (found) {
        FoundState.Nothing -> Unit
        FoundState.Searching -> LinearProgressIndicator(Modifier.fillMaxWidth())
        is FoundState.Comparing -> Comparing(presenter, found.percent)
        is FoundState.Failed -> Message(found.message)
        is FoundState.Photos -> Announced(
            when (val like = found.like) {
                null -> pluralStringResource(R.plurals.search_found, found.searched, found.photos.size, found.searched)
                else -> stringResource(R.string.search_found_like, like)
            },
        )
        is FoundState.Groups -> Announced(
            when (val count = found.groups.size) {
                0 -> stringResource(R.string.search_no_groups)
                else -> pluralStringResource(R.plurals.search_groups, count, count)
            },
        )
    }
}

/** Words that TalkBack reads when they change. */
@Composable
private fun Announced(words: String) {
    Text(words, Modifier.semantics { liveRegion = LiveRegionMode.Polite })
}

@Composable
private fun Comparing(presenter: SearchPresenter, percent: Int) {
    val words = stringResource(R.string.search_comparing, percent)
    Text(words)
    LinearProgressIndicator(
        progress = { percent / 100f },
        modifier = Modifier.fillMaxWidth().semantics { contentDescription = words },
    )
    OutlinedButton(onClick = presenter::stopSearching) { Text(stringResource(R.string.cancel)) }
}

/** The photos that were found; those that are alike below a heading for each group. */
internal fun LazyGridScope.foundPhotos(presenter: SearchPresenter, found: FoundState) {
    when (found) {
        is FoundState.Photos -> items(found.photos, key = { it.document }) { Hit(presenter, it) }
        is FoundState.Groups -> for (group in found.groups) {
            item(span = { GridItemSpan(maxLineSpan) }) { GroupHeading(group) }
            items(group.photos, key = { it.document }) { Hit(presenter, it) }
        }
        else -> Unit
    }
}

@Composable
private fun GroupHeading(group: FoundGroup) {
    Text(
        stringResource(R.string.search_group, group.photos.size, group.cosine),
        style = MaterialTheme.typography.titleMedium,
        modifier = Modifier.semantics { heading() },
    )
}

@Composable
private fun Hit(presenter: SearchPresenter, photo: FoundPhoto) {
    val cosine = photo.cosine
    Column {
        Photo(
            photo.document,
            if (cosine == null) photo.name else stringResource(R.string.search_hit, photo.name, cosine),
            Modifier.fillMaxWidth().aspectRatio(1f),
            ContentScale.Crop,
        )
        Text(
            if (cosine == null) photo.name else stringResource(R.string.cosine, cosine),
            style = MaterialTheme.typography.bodySmall,
            maxLines = 1,
            overflow = TextOverflow.Ellipsis,
        )
        val spoken = stringResource(R.string.search_similar_to, photo.name)
        TextButton(onClick = { presenter.searchLike(photo) }, Modifier.semantics { contentDescription = spoken }) {
            Text(stringResource(R.string.search_similar))
        }
    }
}
