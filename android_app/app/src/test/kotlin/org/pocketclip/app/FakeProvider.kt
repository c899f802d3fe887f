package org.pocketclip.app

import android.content.ContentProvider
import android.content.ContentValues
import android.database.Cursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import org.robolectric.Robolectric

/** Another application's provider, which answers what a test says. */
class FakeProvider : ContentProvider() {
    var file: () -> ParcelFileDescriptor? = { null }
    var rows: (folder: Uri) -> Cursor? = { null }

    override fun onCreate(): Boolean = true

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor? = file()

    override fun query(uri: Uri, columns: Array<String>?, where: String?, values: Array<String>?, order: String?): Cursor? = rows(uri)

    override fun getType(uri: Uri): String? = null

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun delete(uri: Uri, where: String?, values: Array<String>?): Int = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?): Int = 0

    companion object {
        const val AUTHORITY = "org.pocketclip.fake"

        fun installed(): FakeProvider = Robolectric.buildContentProvider(FakeProvider::class.java).create(AUTHORITY).get()

        /** What Android's own provider of files throws where a document is gone. */
        fun gone(): Nothing = throw IllegalArgumentException(
            "Failed to determine if primary:DCIM/1.jpg is child of primary:DCIM: java.io.FileNotFoundException: Missing file",
        )
    }
}
