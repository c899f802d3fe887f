package org.pocketclip.machine

import android.content.Context
import android.content.pm.ApplicationInfo
import android.os.Build
import org.pocketclip.core.bench.Application

/** What the application that this runs in is, as results say it. */
fun installedApplication(context: Context): Application = Application(
    version = context.packageManager.getPackageInfo(context.packageName, 0).versionName,
    platform = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
    debuggable = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0,
)
