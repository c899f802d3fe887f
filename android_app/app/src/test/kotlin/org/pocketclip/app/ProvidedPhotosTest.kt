package org.pocketclip.app

import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.Bundle
import android.provider.DocumentsContract
import android.provider.DocumentsContract.Document
import androidx.core.os.bundleOf
import java.io.InputStream
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.bundles.DocumentBundles
import org.pocketclip.app.photos.ContentPhotoReader
import org.pocketclip.app.search.DocumentPhotoFolder
import org.pocketclip.app.search.FolderListing
import org.pocketclip.core.InputException
import org.pocketclip.core.MachineException
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.machine.BitmapPhotos
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** What providers of other applications may answer. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class ProvidedPhotosTest {
    private val resolver get() = RuntimeEnvironment.getApplication().contentResolver
    private val photo = Uri.parse("content://${FakeProvider.AUTHORITY}/1.jpg")

    private fun refused(decoder: PhotoDecoder = BitmapPhotos): String {
        val reader = ContentPhotoReader(resolver, Dispatchers.Unconfined, decoder)
        return assertThrows(InputException::class.java) {
            runBlocking { reader.read("$photo") }
        }.message.orEmpty()
    }

    @Test
    fun `a photo that was deleted cannot be read`() {
        FakeProvider.installed().file = { FakeProvider.gone() }
        val message = refused()
        assertTrue(message, "the photo cannot be read (IllegalArgumentException: Failed to determine" in message)
        assertTrue(message, message.endsWith("choose it again"))
    }

    @Test
    fun `a file that is too large is not read to its end`() {
        shadowOf(resolver).registerInputStream(photo, ByteArray(64_000_000).inputStream())
        assertEquals("64000000 bytes", refused { file -> throw InputException("${file.size} bytes") })
        val endless = object : InputStream() {
            override fun read(): Int = 0
        }
        shadowOf(resolver).registerInputStream(photo, endless)
        assertEquals("the photo's file has more than 64 MB; choose a smaller one", refused())
    }

    @Test
    fun `a photo that does not fit into memory is refused like any other`() {
        shadowOf(resolver).registerInputStream(photo, ByteArray(9).inputStream())
        assertEquals("the photo does not fit into this phone's memory; make it smaller", refused { throw OutOfMemoryError() })
    }

    private val tree = DocumentsContract.buildTreeDocumentUri(FakeProvider.AUTHORITY, "top")

    /** A provider's list of documents, of type and name each. */
    private fun list(vararg rows: Pair<String, String>, extras: Bundle = Bundle.EMPTY): Cursor {
        val columns = arrayOf(
            Document.COLUMN_DOCUMENT_ID, Document.COLUMN_DISPLAY_NAME, Document.COLUMN_MIME_TYPE, Document.COLUMN_LAST_MODIFIED,
        )
        return MatrixCursor(columns).apply {
            for ((type, name) in rows) addRow(arrayOf<Any>(name, name, type, 7L))
            setExtras(extras)
        }
    }

    private fun listed() = DocumentPhotoFolder(resolver).photos("$tree")

    @Test
    fun `photos of a folder and of those below it are listed`() {
        FakeProvider.installed().rows = { folder ->
            when (DocumentsContract.getDocumentId(folder)) {
                "top" -> list(Document.MIME_TYPE_DIR to "below", "image/jpeg" to "1.jpg", "text/plain" to "notes.txt")
                else -> list("image/heic" to "2.heic")
            }
        }
        assertEquals(listOf("1.jpg", "2.heic"), listed().photos.map { it.name })
        assertNull(listed().incomplete)
    }

    @Test
    fun `what a provider does not list now is said, and is no bundle`() {
        val provider = FakeProvider.installed()
        val loading = bundleOf(DocumentsContract.EXTRA_LOADING to true)
        val failed = bundleOf(DocumentsContract.EXTRA_ERROR to "no network")
        val cases = mapOf<() -> Cursor?, String>(
            { null } to "cannot be read now; see whether its storage is there, and try again",
            { list("image/jpeg" to "2.jpg", extras = loading) } to "is still being loaded; try again in a moment",
            { list("image/jpeg" to "2.jpg", extras = failed) } to "cannot be read now (no network); try again",
        )
        for ((below, why) in cases) {
            provider.rows = { folder ->
                if (DocumentsContract.getDocumentId(folder) == "top") list(Document.MIME_TYPE_DIR to "below") else below()
            }
            assertEquals("the folder 'below' $why", listed().incomplete)
        }
        provider.rows = { null }
        assertEquals(FolderListing(emptyList(), "the folder '/' ${cases.values.first()}"), listed())
        val source = DocumentBundles(resolver, RuntimeEnvironment.getApplication().assets).folder(tree) as BundleSource.Folder
        assertThrows(MachineException::class.java) { source.files().toList() }
    }
}
