package org.pocketclip.app.bundles

import android.content.ContentResolver
import android.content.res.AssetManager
import android.net.Uri
import java.io.FileNotFoundException
import org.pocketclip.app.photos.Documents

/** Bundles that the user picks through the system's file dialogue, and the one that an application may bring. */
class DocumentBundles(private val resolver: ContentResolver, private val assets: AssetManager) {
    fun zip(uri: Uri): BundleSource = BundleSource.Zip {
        resolver.openInputStream(uri) ?: throw FileNotFoundException("$uri does not open")
    }

    fun folder(tree: Uri): BundleSource = BundleSource.Folder {
        Documents(resolver).walk(tree).map { document ->
            SourceFile(document.path) {
                resolver.openInputStream(document.uri) ?: throw FileNotFoundException("${document.path} does not open")
            }
        }
    }

    /** `assets/bundle.zip`; null where the application was built without one. */
    fun preinstalled(): BundleSource? =
        if (PREINSTALLED in assets.list("").orEmpty()) BundleSource.Zip { assets.open(PREINSTALLED) } else null

    private companion object {
        const val PREINSTALLED = "bundle.zip"
    }
}
