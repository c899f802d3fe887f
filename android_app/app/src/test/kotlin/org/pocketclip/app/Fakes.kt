package org.pocketclip.app

import android.content.Context
import java.io.File
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import org.pocketclip.app.bundles.BundleSummary
import org.pocketclip.app.bundles.Classified
import org.pocketclip.app.bundles.Engine
import org.pocketclip.app.bundles.TowerSummary
import org.pocketclip.app.measure.MeasureRequest
import org.pocketclip.app.measure.Measurer
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.app.search.FolderListing
import org.pocketclip.app.search.FolderMemory
import org.pocketclip.app.search.FolderPhoto
import org.pocketclip.app.search.PhotoFolder
import org.pocketclip.core.InputException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.RankedLabel
import org.pocketclip.core.ranking.Ranking

/**
 * An engine that needs no model: the embedding of a photo is its mean colour, that of a sentence the colour it names.
 *
 * @property gate where it is set, a classification waits for it.
 */
class FakeEngine(labels: List<String> = listOf("red", "green", "blue"), sha256: String = "a".repeat(64)) : Engine {
    override var summary = BundleSummary(
        sha256, "fake", "e".repeat(64), sha256, 3, TowerSummary("onnxruntime", "fp32", 1), TowerSummary("onnxruntime", "int8", 1), labels, 10.0,
    )
    var gate: CompletableDeferred<Unit>? = null
    var closed = false
    var classified = 0
    val embedded = mutableListOf<String>()

    override suspend fun classify(image: RgbImage, labels: List<String>): Classified {
        gate?.await()
        classified++
        val wanted = colour(image)
        val ranked = Ranking.rank(wanted, labels.map(::colour), summary.logitScale)
        return Classified(ranked.map { RankedLabel(labels[it.place], it) }, 1_000_000, 2_500_000, if (classified == 1) 3_000_000 else null)
    }

    override suspend fun embed(image: RgbImage): FloatArray {
        gate?.await()
        return colour(image)
    }

    override suspend fun embed(sentence: String): FloatArray {
        embedded += sentence
        return colour(sentence)
    }

    override fun close() {
        closed = true
    }

    private fun colour(image: RgbImage): FloatArray = Ranking.normalized(
        FloatArray(3) { channel ->
            1f + image.pixels.filterIndexed { place, _ -> place % 3 == channel }.sumOf { it.toInt() and 0xFF }
        },
    )

    private fun colour(words: String): FloatArray = Ranking.normalized(
        FloatArray(3) { if (listOf("red", "green", "blue")[it] in words) 1f else 0.1f },
    )
}

/** Photos by name: `red`, `green` and `blue` are that, anything with `broken` in it, or among [broken], is no photo. */
class FakePhotos : PhotoReader {
    val read = mutableListOf<String>()
    val broken = mutableSetOf<String>()

    override suspend fun read(uri: String): RgbImage {
        read += uri
        if ("broken" in uri || uri in broken) throw InputException("the file is no image that this phone can read")
        val channel = listOf("red", "green", "blue").indexOfFirst { it in uri }
        return RgbImage(2, 2, ByteArray(12) { if (it % 3 == channel) 200.toByte() else 0 })
    }
}

class FakeFolder(var photos: List<FolderPhoto>) : PhotoFolder {
    var failure: RuntimeException? = null
    var incomplete: String? = null

    override fun photos(folder: String): FolderListing {
        failure?.let { throw it }
        return FolderListing(photos, incomplete)
    }
}

class FakeMemory(override var folder: String? = null) : FolderMemory

/** Answers with [answer] once it is there. */
class FakeMeasurer : Measurer {
    val requests = mutableListOf<MeasureRequest>()
    var answer = CompletableDeferred<File>()
    var say: (String) -> Unit = {}

    override suspend fun measure(request: MeasureRequest, progress: (String) -> Unit): File {
        requests += request
        say = progress
        return answer.await()
    }
}

/** The application with fakes in place of models, photos and processes. */
class TestApplication : PocketClipApplication() {
    override val container: TestContainer by lazy { TestContainer(this) }
}

class TestContainer(context: Context) : AppContainer(context) {
    val engine = FakeEngine()
    override val photoReader = FakePhotos()
    override val photoFolder = FakeFolder(emptyList())
    override val measurer = FakeMeasurer()
    override val folderMemory = FakeMemory()
    override val io: CoroutineDispatcher = switchable()
    override val compute: CoroutineDispatcher = Dispatchers.Unconfined

    /** Work that waits; where it is not null, nothing of [io] runs until it is carried out. */
    var waiting: ArrayDeque<Runnable>? = null

    override fun load(bundle: Bundle): Engine = engine

    private fun switchable() = object : CoroutineDispatcher() {
        override fun dispatch(context: kotlin.coroutines.CoroutineContext, block: Runnable) {
            waiting?.addLast(block) ?: block.run()
        }
    }
}
