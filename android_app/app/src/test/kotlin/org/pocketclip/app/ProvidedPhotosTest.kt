package org.pocketclip.app

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.pocketclip.app.photos.ContentPhotoReader
import org.pocketclip.core.InputException
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** What providers of other applications may answer. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class)
class ProvidedPhotosTest {
    private val resolver get() = RuntimeEnvironment.getApplication().contentResolver

    private fun refused(): String = assertThrows(InputException::class.java) {
        runBlocking { ContentPhotoReader(resolver, Dispatchers.Unconfined).read("content://${FakeProvider.AUTHORITY}/1.jpg") }
    }.message.orEmpty()

    @Test
    fun `a photo that was deleted cannot be read`() {
        FakeProvider.installed().file = { FakeProvider.gone() }
        val message = refused()
        assertTrue(message, "the photo cannot be read (IllegalArgumentException: Failed to determine" in message)
        assertTrue(message, message.endsWith("choose it again"))
    }
}
