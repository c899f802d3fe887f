package org.pocketclip.app

import android.content.Context
import android.content.pm.ApplicationInfo
import java.io.File
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import org.pocketclip.app.background.BackgroundWork
import org.pocketclip.app.background.WorkService
import org.pocketclip.app.bundles.BundleEngine
import org.pocketclip.app.bundles.BundlePresenter
import org.pocketclip.app.bundles.BundleStore
import org.pocketclip.app.bundles.DocumentBundles
import org.pocketclip.app.bundles.Engine
import org.pocketclip.app.classify.ClassifyPresenter
import org.pocketclip.app.measure.MeasurePresenter
import org.pocketclip.app.measure.Measurer
import org.pocketclip.app.measure.ProcessMeasurer
import org.pocketclip.app.photos.ContentPhotoReader
import org.pocketclip.app.photos.PhotoReader
import org.pocketclip.app.search.DocumentPhotoFolder
import org.pocketclip.app.search.FolderMemory
import org.pocketclip.app.search.GalleryStore
import org.pocketclip.app.search.Indexer
import org.pocketclip.app.search.PhotoFolder
import org.pocketclip.app.search.SearchPresenter
import org.pocketclip.core.ExecutionException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.machine.AndroidNpu
import org.pocketclip.runtime.executorch.ExecuTorch
import org.pocketclip.runtime.litert.LiteRt
import org.pocketclip.runtime.onnxruntime.OnnxRuntime

/** What the application is put together from, by hand; tests replace parts. One for the process. */
open class AppContainer(protected val context: Context) {
    open val main: CoroutineDispatcher = Dispatchers.Main.immediate
    open val io: CoroutineDispatcher = Dispatchers.IO

    /** One at a time: a model's session belongs to one thread at each moment. */
    open val compute: CoroutineDispatcher = Dispatchers.Default.limitedParallelism(1)

    val scope: CoroutineScope by lazy { CoroutineScope(SupervisorJob() + main) }

    val documentBundles by lazy { DocumentBundles(context.contentResolver, context.assets) }
    val galleries by lazy { GalleryStore(File(context.noBackupFilesDir, "galleries")) }
    val bundleStore by lazy { BundleStore(File(context.filesDir, "bundles")) }

    open val photoReader: PhotoReader by lazy { ContentPhotoReader(context.contentResolver, io) }
    open val photoFolder: PhotoFolder by lazy { DocumentPhotoFolder(context.contentResolver) }
    open val measurer: Measurer by lazy { ProcessMeasurer(context) }
    open val folderMemory: FolderMemory by lazy { PreferencesFolderMemory(context) }

    protected open val runtimes: List<InferenceRuntime> by lazy { runtimes(context) }

    val bundles by lazy { BundlePresenter(scope, io, bundleStore, documentBundles::preinstalled, ::load) }
    val classify by lazy { ClassifyPresenter(scope, bundles.state, photoReader) }
    val search by lazy {
        SearchPresenter(scope, io, bundles.state, Indexer(photoFolder, photoReader, io), galleries, folderMemory)
    }
    val measure by lazy {
        MeasurePresenter(scope, io, bundles.state, bundleStore::active, ::accelerators, measurer, debugBuild)
    }

    val work by lazy { BackgroundWork(search, measure) }

    private var started = false

    /** Opens the bundle and keeps the process going while there is work; does nothing the second time. */
    fun start() {
        bundles.start()
        if (started) return
        started = true
        // Where embeddings were before each folder had an index.
        scope.launch(io) { context.deleteDatabase(OLD_EMBEDDINGS) }
        scope.launch {
            work.state.map { it != null }.distinctUntilChanged().collect { working -> if (working) WorkService.start(context) }
        }
    }

    private val debugBuild: Boolean
        get() = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0

    protected open fun load(bundle: Bundle): Engine = BundleEngine.open(bundle, runtimes, compute, soc = AndroidNpu.chip())

    /** What a runtime offers here, its default first; nothing where it cannot be loaded. */
    private fun accelerators(runtime: String): List<Accelerator> = try {
        runtimes.firstOrNull { it.name == runtime }?.let {
            it.prepare()
            listOf(it.defaultAccelerator) + (it.accelerators - it.defaultAccelerator).sorted()
        }.orEmpty()
    } catch (_: ExecutionException) {
        emptyList()
    }

    companion object {
        private const val OLD_EMBEDDINGS = "embeddings.sqlite"

        /**
         * Every runtime that is packaged, or could be, the design's default first. Native code is loaded on demand; a vendor's
         * for its neural processor lies where Android extracts libraries.
         */
        fun runtimes(context: Context): List<InferenceRuntime> {
            val qnn = AndroidNpu.libraries(context)
            return listOf(ExecuTorch(qnn), OnnxRuntime(qnn), LiteRt(context.applicationInfo.nativeLibraryDir?.let(::File)))
        }
    }
}

/** The picked folder, in the application's preferences. */
class PreferencesFolderMemory(context: Context) : FolderMemory {
    private val preferences = context.getSharedPreferences("search", Context.MODE_PRIVATE)

    override var folder: String?
        get() = preferences.getString("folder", null)
        set(value) = preferences.edit().putString("folder", value).apply()
}
