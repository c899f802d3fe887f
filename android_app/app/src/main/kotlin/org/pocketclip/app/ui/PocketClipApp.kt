package org.pocketclip.app.ui

import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.NavigationBar
import androidx.compose.material3.NavigationBarItem
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import org.pocketclip.app.AppContainer
import org.pocketclip.app.R
import org.pocketclip.app.bundles.BundleState

/** The three screens. */
enum class Screen(val title: Int, val icon: Int) {
    TRY(R.string.screen_try, R.drawable.ic_try),
    SEARCH(R.string.screen_search, R.drawable.ic_search),
    MEASURE(R.string.screen_measure, R.drawable.ic_measure),
}

/** Title, the screen that was chosen, and the bar to choose another. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun PocketClipApp(container: AppContainer) {
    var screen by rememberSaveable { mutableStateOf(Screen.TRY) }
    val bundle by container.bundles.state.collectAsStateWithLifecycle()
    Scaffold(
        topBar = {
            TopAppBar(
                title = { Text(title(bundle)) },
                actions = { if (bundle is BundleState.Ready) ImportMenu(container) },
            )
        },
        bottomBar = {
            NavigationBar {
                for (entry in Screen.entries) {
                    NavigationBarItem(
                        selected = entry == screen,
                        onClick = {
                            if (entry != Screen.TRY) container.classify.stopCamera()
                            screen = entry
                        },
                        // The label beside it says the same.
                        icon = { Icon(painterResource(entry.icon), contentDescription = null) },
                        label = { Text(stringResource(entry.title)) },
                    )
                }
            }
        },
    ) { padding ->
        Box(Modifier.padding(padding).consumeWindowInsets(padding).imePadding().fillMaxSize()) {
            BundleGate(container, bundle) {
                when (screen) {
                    Screen.TRY -> TryScreen(container.classify)
                    Screen.SEARCH -> SearchScreen(container.search)
                    Screen.MEASURE -> MeasureScreen(container.measure)
                }
            }
        }
    }
}

@Composable
private fun title(bundle: BundleState): String =
    if (bundle is BundleState.Ready) {
        stringResource(R.string.title_with_model, bundle.engine.summary.model)
    } else {
        stringResource(R.string.app_name)
    }
