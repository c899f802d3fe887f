package org.pocketclip.bench

import android.content.Context
import android.os.Environment
import java.io.File
import org.robolectric.shadows.ShadowEnvironment

/** Mounts storage, as on a phone that was unlocked once; the folder in it that the harness writes to. */
internal fun mountSharedStorage(context: Context): File {
    ShadowEnvironment.setExternalStorageState(ShadowEnvironment.addExternalDir("shared"), Environment.MEDIA_MOUNTED)
    return checkNotNull(BenchComponents.sharedFolder(context)) { "it is not there though it is mounted" }
}
