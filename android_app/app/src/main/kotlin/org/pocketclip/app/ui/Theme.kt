package org.pocketclip.app.ui

import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.res.colorResource
import org.pocketclip.app.R

/** Colours of res/values and res/values-night, so that the window before the first frame has them, too. */
@Composable
fun PocketClipTheme(content: @Composable () -> Unit) {
    val base = if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()
    val scheme = base.copy(
        primary = colorResource(R.color.primary),
        onPrimary = colorResource(R.color.on_primary),
        primaryContainer = colorResource(R.color.primary_container),
        onPrimaryContainer = colorResource(R.color.on_primary_container),
        secondaryContainer = colorResource(R.color.primary_container),
        onSecondaryContainer = colorResource(R.color.on_primary_container),
        background = colorResource(R.color.background),
        onBackground = colorResource(R.color.on_background),
        surface = colorResource(R.color.background),
        onSurface = colorResource(R.color.on_background),
        surfaceContainer = colorResource(R.color.surface_container),
        error = colorResource(R.color.error),
    )
    MaterialTheme(colorScheme = scheme, content = content)
}
