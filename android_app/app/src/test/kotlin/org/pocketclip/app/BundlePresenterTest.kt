package org.pocketclip.app

import java.io.ByteArrayInputStream
import java.io.File
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import kotlinx.coroutines.test.runTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.pocketclip.app.bundles.BundlePresenter
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.bundles.BundleStore

/** What comes from outside never ends the application, whatever is thrown on the way. */
@OptIn(ExperimentalCoroutinesApi::class)
class BundlePresenterTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private fun failure(thrown: Throwable): String {
        var message = ""
        runTest(UnconfinedTestDispatcher()) {
            val store = BundleStore(File(temporary.root, "bundles"))
            val dispatcher = UnconfinedTestDispatcher(testScheduler)
            val presenter = BundlePresenter(backgroundScope, dispatcher, store, { null }, { error("nothing is loaded") })
            presenter.import(BundleSource.Zip { throw thrown })
            message = (presenter.state.value as BundleState.Failed).message
            // Another one can be tried at once.
            presenter.import(BundleSource.Zip { ByteArrayInputStream(ByteArray(3)) })
            assertTrue((presenter.state.value as BundleState.Failed).message.isNotEmpty())
        }
        return message
    }

    @Test
    fun `memory that is used up and mistakes of libraries are told`() {
        assertEquals(
            "the bundle does not fit into this phone's memory; choose a smaller one",
            failure(OutOfMemoryError("Failed to allocate a 1500000016 byte allocation")),
        )
        val told = failure(IllegalArgumentException("a tensor does not fit into one buffer"))
        assertTrue(told, "IllegalArgumentException: a tensor does not fit into one buffer" in told)
    }
}
