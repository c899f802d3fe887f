package org.pocketclip.app

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import org.pocketclip.app.ui.PocketClipApp
import org.pocketclip.app.ui.PocketClipTheme

/** The only activity: three screens, of which each is drawn from a state that outlives it. */
class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        val container = (application as PocketClipApplication).container
        container.start()
        setContent {
            PocketClipTheme { PocketClipApp(container) }
        }
    }
}
