package org.pocketclip.app

import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.performScrollTo
import java.io.File
import kotlin.math.abs
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.bundles.BundleState
import org.pocketclip.app.classify.ResultState
import org.pocketclip.app.measure.MeasureRequest
import org.pocketclip.app.measure.MeasureService
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.app.search.FolderListing
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.app.search.FoundState
import org.pocketclip.app.search.IndexProgress
import org.pocketclip.app.search.IndexState
import org.pocketclip.app.search.PhotoFolder
import org.pocketclip.core.Documents
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.records.BenchmarkRecord
import org.pocketclip.core.records.RunSettings
import org.pocketclip.core.records.Tower
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The application with the real container: a real bundle, real inference, everything in one thread. */
class RealApplication : PocketClipApplication() {
    override val container: AppContainer by lazy {
        object : AppContainer(this@RealApplication) {
            override val io: CoroutineDispatcher = Dispatchers.Unconfined
            override val compute: CoroutineDispatcher = Dispatchers.Unconfined
            override val photoFolder = PhotoFolder {
                val places = Bundle.open(RealBundle.folder).manifest.endToEnd.images.indices
                FolderListing(places.map { FolderPhoto("file:///none/$it", "$it", 1) })
            }
            override val photoReader = PhotoReader { uri -> RealBundle.image(Bundle.open(RealBundle.folder), uri.substringAfterLast('/').toInt()) }
        }
    }
}

@RunWith(RobolectricTestRunner::class)
@Config(application = RealApplication::class)
class RealInferenceTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @get:Rule
    val temporary = TemporaryFolder()

    private val container get() = (RuntimeEnvironment.getApplication() as RealApplication).container

    @Test
    fun `a real bundle is imported, and its golden images are ranked as Python ranks them`() {
        val golden = Bundle.open(RealBundle.folder).manifest
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        container.bundles.import(BundleSource.Zip { RealBundle.zip(temporary.newFile()).inputStream() })
        val state = container.bundles.state.value
        assertTrue("$state", state is BundleState.Ready)
        golden.endToEnd.images.forEachIndexed { place, image ->
            container.classify.choosePhoto("file:///none/$place")
            val found = (container.classify.state.value.result as ResultState.Ranked).found
            val expected = image.ranking!!
            assertEquals(expected.places.map { golden.labels!!.names[it] }, found.labels.map { it.name }.take(expected.places.size))
            expected.cosines.zip(found.labels).forEach { (cosine, label) -> assertTrue(abs(cosine - label.ranked.cosine) < 1e-4) }
            assertNull("the bundle brings these labels' embeddings", found.textNs)
        }
        val best = (container.classify.state.value.result as ResultState.Ranked).found.labels.first().name
        compose.onNodeWithContentDescription("Most likely $best, ", substring = true).performScrollTo().assertIsDisplayed()
        container.classify.setLabels("$best, something else")
        assertTrue((container.classify.state.value.result as ResultState.Ranked).found.textNs!! > 0)
        controller.destroy()
    }

    @Test
    fun `the golden images are indexed, and sentences find them as Python's embeddings say`() {
        val bundle = Bundle.open(RealBundle.folder)
        val golden = bundle.manifest.endToEnd
        val (images, sentences) = bundle.rows(golden.imageEmbeddings) to bundle.rows(golden.sentenceEmbeddings)
        container.start()
        container.bundles.import(BundleSource.Zip { RealBundle.zip(temporary.newFile()).inputStream() })
        container.search.chooseFolder("content://golden")
        assertEquals(IndexState.Complete(IndexProgress(images.size, images.size, 0)), container.search.state.value.index)
        golden.sentences.zip(sentences).filter { (words, _) -> words.isNotBlank() }.forEach { (words, sentence) ->
            container.search.setQuery(words)
            container.search.search()
            val found = container.search.state.value.found as FoundState.Photos
            assertEquals(images.size, found.photos.size)
            for (photo in found.photos) {
                val wanted = Ranking.cosine(images[photo.name.toInt()], sentence)
                assertEquals("$words, ${photo.name}", wanted, photo.cosine!!, 1e-3)
            }
            assertEquals(found.photos.map { it.cosine!! }.sortedDescending(), found.photos.map { it.cosine })
        }
    }

    @Test
    fun `the measuring service measures the same towers and leaves a record`() {
        val service = Robolectric.buildService(MeasureService::class.java).create().get()
        for (tower in Tower.entries) {
            val answers = mutableListOf<Pair<Int, String>>()
            val request = MeasureRequest(RealBundle.folder.path, tower, RunSettings(iterations = 3))
            service.carryOut(Documents.write(MeasureRequest.serializer(), request)) { code, text -> answers += code to text }
            val (code, path) = answers.last()
            assertEquals("$answers", MeasureService.DONE, code)
            val record = Documents.read(BenchmarkRecord.serializer(), File(path).readText(), path)
            assertNull(record.reason)
            assertTrue(record.launches.single().steadyNs.size >= 3)
            assertTrue("the outputs are those at export", record.goldenCheck!!.exportedCosineMin > 0.9999)
            assertEquals("Android 15 (API 35)", record.device.os)
            assertTrue(answers.any { it.first == MeasureService.PROGRESS })
        }
    }
}
