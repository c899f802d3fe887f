package org.pocketclip.app

import android.app.Application

/** Holds the [AppContainer]; presenters live as long as the process, so rotation interrupts nothing. */
open class PocketClipApplication : Application() {
    open val container: AppContainer by lazy { AppContainer(this) }
}
