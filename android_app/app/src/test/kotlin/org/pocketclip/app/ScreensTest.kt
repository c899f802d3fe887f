package org.pocketclip.app

import android.content.pm.PackageManager
import android.content.res.Configuration
import android.os.Looper
import android.view.View
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assert
import androidx.compose.ui.test.assertCountEquals
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasScrollAction
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.isSelectable
import androidx.compose.ui.test.junit4.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithContentDescription
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.compose.ui.test.performTextReplacement
import androidx.core.graphics.Insets
import androidx.core.view.WindowInsetsCompat
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CompletableDeferred
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.pocketclip.app.bundles.BundleSource
import org.pocketclip.app.bundles.NpuSummary
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.core.records.Invalidity
import org.pocketclip.core.records.Tower
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** The screens with their real views, in every state that they have. */
@RunWith(RobolectricTestRunner::class)
@Config(application = TestApplication::class, qualifiers = "w411dp-h891dp")
class ScreensTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @get:Rule
    val temporary = TemporaryFolder()

    private val container get() = (RuntimeEnvironment.getApplication() as TestApplication).container

    private var shown: ActivityController<MainActivity>? = null

    private fun show(): ActivityController<MainActivity> =
        Robolectric.buildActivity(MainActivity::class.java).setup().also { shown = it }

    /** What is left on the screen would keep the next test from becoming idle. */
    @After
    fun close() {
        shown?.destroy()
    }

    private fun importBundle() = container.bundles.import(BundleSource.Zip { RealBundle.zip(temporary.newFile()).inputStream() })

    private fun ready(): ActivityController<MainActivity> = show().also {
        importBundle()
        compose.onNodeWithText("PocketCLIP · fake").assertIsDisplayed()
    }

    private fun tab(title: String) = compose.onNode(hasText(title) and isSelectable())

    private fun turn(controller: ActivityController<MainActivity>) {
        val before = controller.get()
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        assertNotEquals("the activity is a new one", before, controller.get())
        assertEquals(Configuration.ORIENTATION_LANDSCAPE, controller.get().resources.configuration.orientation)
    }

    @Test
    fun `without a bundle it says where to get one`() {
        show()
        compose.onNodeWithText("No bundle yet").assertIsDisplayed()
        compose.onNodeWithText("Choose a zip").assertIsDisplayed().performClick()
        val asked = shadowOf(RuntimeEnvironment.getApplication()).nextStartedActivity
        assertEquals("android.intent.action.OPEN_DOCUMENT", asked.action)
    }

    @Test
    fun `while a bundle is checked it says so`() {
        show()
        container.waiting = ArrayDeque()
        importBundle()
        compose.onNodeWithText("Opening the bundle").assertIsDisplayed()
        val waiting = container.waiting!!
        container.waiting = null
        waiting.forEach { it.run() }
        compose.onNodeWithText("PocketCLIP · fake").assertIsDisplayed()
    }

    @Test
    fun `a bundle that cannot be used is refused in words, and one can go back`() {
        ready()
        container.bundles.import(BundleSource.Zip { "no zip".byteInputStream() })
        compose.onNodeWithText("This bundle cannot be used").assertIsDisplayed()
        compose.onNode(hasText("no zip with a bundle", substring = true)).assertIsDisplayed()
        compose.onNodeWithText("Back").performClick()
        compose.onNodeWithText("PocketCLIP · fake").assertIsDisplayed()
    }

    @Test
    fun `where the towers run is said on every screen`() {
        val fake = container.engine.summary
        container.engine.summary = fake.copy(
            image = fake.image.copy(npu = NpuSummary("SM8650", "onnxruntime", "w8a16-static", 2)),
            text = fake.text.copy(whyNotNpu = "no variant for SM8450; the bundle has variants for SM8650"),
        )
        ready()
        for (screen in listOf("Try", "Search", "Measure")) {
            tab(screen).performClick()
            compose.onNodeWithText("Image tower: on the NPU of SM8650, w8a16-static").assertIsDisplayed()
            compose.onNodeWithText("Text tower: on the CPU, not on the NPU: no variant for SM8450; the bundle has variants for SM8650")
                .assertIsDisplayed()
        }
        compose.onNodeWithText("Image tower, onnxruntime w8a16-static").assertExists()
    }

    @Test
    fun `a photo is ranked with bars and times`() {
        ready()
        compose.onNodeWithText("Choose a photo, and at least one label.").assertExists()
        container.classify.choosePhoto("file:///none/green.jpg")
        compose.onNodeWithContentDescription("Most likely green, ", substring = true).performScrollTo().assertIsDisplayed()
        compose.onNodeWithText("Image tower 2.50 ms, and 1.00 ms to prepare the photo").assertExists()
        compose.onNodeWithText("Labels embedded in 3.00 ms").assertExists()
        compose.onNode(hasText("Labels")).performTextReplacement("red thing, blue and green")
        compose.onNodeWithContentDescription("Most likely blue and green, ", substring = true).assertExists()
        compose.onNodeWithText("Labels were embedded before").assertExists()
    }

    @Test
    fun `a photo that cannot be read is said`() {
        ready()
        container.classify.choosePhoto("file:///none/broken.jpg")
        compose.onNode(hasText("the file is no image", substring = true)).assertExists()
    }

    @Test
    fun `without the camera's permission there is a way to the settings`() {
        val controller = ready()
        compose.onNodeWithText("Live camera").performClick()
        answerPermission(controller.get(), PackageManager.PERMISSION_DENIED)
        compose.onNode(hasText("The camera may not be used", substring = true)).assertIsDisplayed()
        compose.onNodeWithText("Open the settings").performClick()
        val asked = shadowOf(controller.get()).nextStartedActivity
        assertEquals("android.settings.APPLICATION_DETAILS_SETTINGS", asked.action)
    }

    @Test
    fun `turned in the middle of a classification, it goes on`() {
        val controller = ready()
        val gate = CompletableDeferred<Unit>()
        container.engine.gate = gate
        container.classify.choosePhoto("file:///none/blue.jpg")
        compose.onNodeWithContentDescription("Classifying").assertExists()
        turn(controller)
        compose.onNodeWithContentDescription("Classifying").assertExists()
        gate.complete(Unit)
        compose.onNodeWithContentDescription("Most likely blue, ", substring = true).assertExists()
        assertEquals("it was not begun again", 1, container.engine.classified)
    }

    @Test
    fun `turned in the middle of a measurement, it goes on, and the screen is the same`() {
        val controller = ready()
        tab("Measure").performClick()
        container.measure.choose(Tower.TEXT, false)
        container.measure.run()
        container.measurer.say("loaded; warming up")
        compose.onNodeWithText("Image tower: loaded; warming up").assertExists()
        turn(controller)
        compose.onNodeWithText("Image tower: loaded; warming up").assertExists()
        container.measurer.answer.complete(recordFile(temporary.root))
        compose.onNodeWithText("p50 6.00 ms").assertExists()
        compose.onNodeWithText("p90 10.00 ms").assertExists()
        compose.onNodeWithText("load 7.00 ms").assertExists()
        compose.onNodeWithText("memory 12.5 MB").assertExists()
        compose.onNodeWithText("thermal state: light").assertExists()
        compose.onNodeWithText("cpu asked for, not told observed, threads: 1").assertExists()
        assertEquals(1, container.measurer.requests.size)
    }

    @Test
    fun `a failed measurement says why, and a time that may not be compared says so`() {
        ready()
        tab("Measure").performClick()
        container.measure.choose(Tower.TEXT, false)
        container.measurer.answer.complete(recordFile(temporary.root, "onnxruntime refuses it"))
        container.measure.run()
        compose.onNodeWithText("Not measured: onnxruntime refuses it").assertExists()
        val condition = Invalidity("power-saver", "power saving is on", "Turn it off")
        container.measurer.answer = CompletableDeferred(recordFile(temporary.root, invalid = listOf(condition)))
        container.measure.run()
        compose.onNodeWithText("Not to be compared (power-saver): power saving is on. Turn it off").assertExists()
    }

    @Test
    fun `a folder is indexed, cancelled, resumed and searched, also when it is turned meanwhile`() {
        val controller = ready()
        tab("Search").performClick()
        compose.onNodeWithText("Choose a folder").assertIsDisplayed()
        container.photoFolder.photos = listOf("red", "green", "blue").map { FolderPhoto("file:///none/$it", "$it.jpg", 1) }
        val gate = CompletableDeferred<Unit>()
        container.engine.gate = gate
        container.search.chooseFolder("content://folder")
        compose.onNodeWithText("0 of 3 photos").assertExists()
        turn(controller)
        compose.onNodeWithText("0 of 3 photos").assertExists()
        compose.onNodeWithText("Cancel").performClick()
        compose.onNodeWithText("Go on").assertExists()
        gate.complete(Unit)
        compose.onNodeWithText("Go on").performClick()
        compose.onNodeWithText("3 photos are indexed").assertExists()
        compose.onNode(hasText("What does the photo show?")).performTextReplacement("a blue one")
        compose.onNodeWithText("Find").performScrollTo().performClick()
        compose.onNodeWithText("The best 3 of 3 photos").assertExists()
        assertEquals(listOf("a blue one"), container.engine.embedded)
    }

    @Test
    fun `photos that resemble one, and duplicates, are found and named for TalkBack`() {
        ready()
        tab("Search").performClick()
        container.photoFolder.photos = listOf("red", "red 2", "blue").map { FolderPhoto("file:///none/$it", "$it.jpg", 1) }
        container.search.chooseFolder("content://folder")
        container.search.setQuery("red")
        container.search.search()
        compose.onNodeWithContentDescription("Find photos similar to red 2.jpg").performScrollTo().performClick()
        compose.onNodeWithText("The photos most similar to red 2.jpg").assertExists()
        compose.onNodeWithContentDescription("red.jpg, cosine 1.000").assertExists()
        compose.onNodeWithText("Find duplicates").performScrollTo().performClick()
        compose.onNodeWithText("1 group of photos that are alike").assertExists()
        compose.onNodeWithText("2 photos, cosine at least 1.000").assert(SemanticsMatcher.keyIsDefined(SemanticsProperties.Heading))
        compose.onNodeWithContentDescription("Find photos similar to red.jpg").assertExists()
        container.photoFolder.photos = container.photoFolder.photos.drop(1)
        container.search.resume()
        compose.onNodeWithText("Find duplicates").performScrollTo().performClick()
        compose.onNodeWithText("No two photos are alike.").assertExists()
    }

    @Test
    fun `a photo that was deleted after it was indexed is an empty place`() {
        val asked = CountDownLatch(1)
        FakeProvider.installed().file = {
            asked.countDown()
            FakeProvider.gone()
        }
        ready()
        tab("Search").performClick()
        container.photoFolder.photos = listOf(FolderPhoto("content://${FakeProvider.AUTHORITY}/red", "red.jpg", 1))
        container.search.chooseFolder("content://folder")
        container.search.setQuery("red")
        container.search.search()
        compose.onNodeWithText("The best 1 of 1 photo").assertExists()
        assertTrue("the provider was asked", asked.await(10, TimeUnit.SECONDS))
        compose.onNodeWithContentDescription("red.jpg, cosine", substring = true).assertExists()
    }

    @Test
    fun `what is shown ends above the keyboard`() {
        val content = ready().get().findViewById<View>(android.R.id.content)!!
        fun bottom() = compose.onNode(hasScrollAction()).fetchSemanticsNode().boundsInRoot.bottom
        val half = content.height / 2
        assertTrue("${bottom()}", bottom() > half)
        val keyboard = WindowInsetsCompat.Builder().setInsets(WindowInsetsCompat.Type.ime(), Insets.of(0, 0, 0, half)).build()
        // By the views' own frames alone: Compose's would not come to rest before them.
        compose.mainClock.autoAdvance = false
        content.dispatchApplyWindowInsets(keyboard.toWindowInsets()!!)
        shadowOf(Looper.getMainLooper()).idle()
        assertEquals(content.height - half.toFloat(), bottom(), 1f)
    }

    @Test
    fun `while photos are compared it says how far it is, and can be ended`() {
        ready()
        tab("Search").performClick()
        container.photoFolder.photos = listOf(FolderPhoto("file:///none/red", "red.jpg", 1))
        container.search.chooseFolder("content://folder")
        container.waiting = ArrayDeque()
        container.search.findDuplicates()
        compose.onNodeWithText("Comparing all photos: 0 %").assertExists()
        compose.onNodeWithText("Cancel").performScrollTo().performClick()
        compose.onNodeWithText("Comparing all photos: 0 %").assertDoesNotExist()
        val waiting = container.waiting!!
        container.waiting = null
        waiting.forEach { it.run() }
        compose.onNodeWithText("Find duplicates").assertExists()
    }

    @Test
    fun `an index that is damaged is said, and made anew`() {
        ready()
        tab("Search").performClick()
        container.photoFolder.photos = listOf(FolderPhoto("file:///none/red", "red.jpg", 1))
        container.galleries.open("content://folder", container.engine.summary).write().close()
        RuntimeEnvironment.getApplication().noBackupFilesDir.walk().single { it.name == "index.json" }.writeText("{}")
        container.search.chooseFolder("content://folder")
        compose.onNode(hasText("index the photos again", substring = true)).assertIsDisplayed()
        compose.onNodeWithText("Index anew").performClick()
        compose.onNodeWithText("1 photo is indexed").assertExists()
    }

    @Test
    fun `a folder that may not be read any more is said`() {
        ready()
        tab("Search").performClick()
        container.photoFolder.failure = SecurityException("no access")
        container.search.chooseFolder("content://folder")
        compose.onNode(hasText("The folder may not be read any more", substring = true)).assertIsDisplayed()
    }

    @Test
    fun `at night colours are others, and all screens are drawn`() {
        val day = RuntimeEnvironment.getApplication().getColor(R.color.background)
        RuntimeEnvironment.setQualifiers("+night")
        assertNotEquals(day, RuntimeEnvironment.getApplication().getColor(R.color.background))
        ready()
        for (screen in listOf("Search", "Measure", "Try")) tab(screen).performClick().assertIsDisplayed()
    }

    @Test
    fun `with text of twice the size everything is reached by scrolling`() {
        RuntimeEnvironment.setFontScale(2f)
        ready()
        container.classify.choosePhoto("file:///none/red.jpg")
        compose.onNodeWithText("Use the bundle's labels").performScrollTo().assertIsDisplayed()
        compose.onNodeWithText("Labels embedded in 3.00 ms").performScrollTo().assertIsDisplayed()
    }

    @Test
    fun `everything that can be pressed has words for TalkBack`() {
        ready()
        for (screen in listOf("Search", "Measure", "Try")) {
            tab(screen).performClick()
            val pressed = compose.onAllNodes(hasClickAction()).fetchSemanticsNodes()
            assertTrue(pressed.size > 3)
            for (node in pressed) {
                val words = node.config.getOrElseNullable(SemanticsProperties.Text) { null }.orEmpty().joinToString() +
                    node.config.getOrElseNullable(SemanticsProperties.ContentDescription) { null }.orEmpty().joinToString() +
                    (node.config.getOrElseNullable(SemanticsProperties.EditableText) { null } ?: "")
                assertTrue("on $screen: ${node.config}", words.isNotBlank())
            }
        }
        // What changes by itself is announced.
        container.classify.choosePhoto("file:///none/red.jpg")
        compose.onAllNodes(SemanticsMatcher.keyIsDefined(SemanticsProperties.LiveRegion)).assertCountEquals(1)
        compose.onNode(hasText("Labels")).assert(SemanticsMatcher.keyIsDefined(SemanticsActions.SetText))
    }

    private fun answerPermission(activity: MainActivity, answer: Int) {
        val asked = shadowOf(activity).lastRequestedPermission
        @Suppress("DEPRECATION")
        activity.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, intArrayOf(answer))
    }
}
