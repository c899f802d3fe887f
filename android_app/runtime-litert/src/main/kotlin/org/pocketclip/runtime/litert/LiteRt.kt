package org.pocketclip.runtime.litert

import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator
import com.google.ai.edge.litert.LiteRtException
import java.io.File
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.LoadException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadMode
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile
import org.pocketclip.core.runtime.QnnLibraries
import org.pocketclip.core.runtime.Session

/**
 * LiteRT 2: models compiled for the processor (with XNNPACK's kernels), the graphics processor or a neural processor.
 *
 * A model is compiled for one of them alone. LiteRT then refuses a model of which that one does not take every op, so nothing
 * falls back to the processor.
 */
class LiteRt internal constructor(
    private val library: LiteRtLibrary,
    private val npuLibraries: File?,
) : InferenceRuntime {
    /**
     * LiteRT as the application packages it.
     *
     * @param npuLibraries folder of the libraries that a vendor has for its neural processor; without, there is no `npu`.
     */
    constructor(npuLibraries: File? = null) : this(PackagedLibrary, npuLibraries)

    override val name: String get() = NAME

    /** The library does not tell its version: it is that which is packaged. */
    override val version: String?
        get() = environment?.let { listOfNotNull("$NAME $PACKAGED_VERSION", qnnVersion?.let { "QNN $it" }).joinToString() }

    /** Of Qualcomm's libraries; those of other vendors have no version that matters to prepared graphs. */
    override val qnnVersion: String? by lazy { QnnLibraries.find(npuLibraries)?.version }

    override var accelerators: Set<Accelerator> = setOf(Accelerator.XNNPACK)
        private set

    override val defaultAccelerator: Accelerator get() = Accelerator.XNNPACK

    /** LiteRT opens the file by its path; its Kotlin takes no bytes. */
    override val loadModes: Set<LoadMode> = setOf(LoadMode.FILE)

    /** Lives as long as the process: every session is made in it. */
    private var environment: LiteRtEnvironment? = null

    override fun prepare() {
        environment()
    }

    override fun load(model: ModelFile, options: LoadOptions): Session {
        val environment = environment()
        val accelerator = options.accelerator ?: defaultAccelerator
        check(accelerator, options.loadMode)
        val file = LiteRtFile.read(model.path)
        return try {
            val compiled = environment.compile(model.path.path, targets(accelerator), options.threads)
            LiteRtSession.open(compiled, file, observed(accelerator))
        } catch (error: LiteRtException) {
            throw refusal(model.path, accelerator, error)
        } catch (error: RuntimeException) {
            throw refusal(model.path, accelerator, error)
        }
    }

    @Synchronized
    private fun environment(): LiteRtEnvironment = environment ?: try {
        val npu = npuLibraries?.takeIf(::drivesNpu)
        val opened = library.open(npu)
        accelerators = offered(opened, npu != null)
        opened.also { environment = it }
    } catch (error: LinkageError) {
        // UnsatisfiedLinkError: no .so for this processor; NoClassDefFoundError: the AAR is not packaged.
        throw RuntimeMissingException(
            "LiteRT's library is not in this application, or not for this processor (${error.message}); " +
                "add $MODULE:$PACKAGED_VERSION and build it for this processor",
            error,
        )
    } catch (error: LiteRtException) {
        throw unusable(error)
    } catch (error: RuntimeException) {
        throw unusable(error)
    }

    private fun offered(opened: LiteRtEnvironment, npuDriven: Boolean): Set<Accelerator> {
        val registered = try {
            opened.accelerators
        } catch (error: Exception) {
            opened.close()
            throw error
        }
        return buildSet {
            add(Accelerator.XNNPACK)
            if (LiteRtAccelerator.GPU in registered) add(Accelerator.GPU)
            // LiteRT registers a neural processor even where nothing drives it.
            if (npuDriven && LiteRtAccelerator.NPU in registered) add(Accelerator.NPU)
        }
    }

    private fun check(accelerator: Accelerator, loadMode: LoadMode) {
        if (accelerator !in accelerators) {
            throw AcceleratorMissingException(
                "litert has no ${accelerator.id} here, it has ${accelerators.joinToString { it.id }}; ${remedy(accelerator)}",
            )
        }
        if (loadMode !in loadModes) {
            throw LoadException("litert cannot load by ${loadMode.id}; choose from ${loadModes.joinToString { it.id }}")
        }
    }

    companion object {
        const val NAME = "litert"

        /** Version of `com.google.ai.edge.litert:litert` in gradle/libs.versions.toml. */
        const val PACKAGED_VERSION = "2.3.0"

        private const val MODULE = "com.google.ai.edge.litert:litert"

        /** How the library begins by which LiteRT reaches a vendor's neural processor. */
        private const val NPU_LIBRARY = "libLiteRtDispatch_"

        private fun drivesNpu(folder: File): Boolean = folder.list().orEmpty().any { it.startsWith(NPU_LIBRARY) }

        /** What LiteRT compiles for. */
        internal fun targets(asked: Accelerator): Set<LiteRtAccelerator> = when (asked) {
            Accelerator.XNNPACK -> setOf(LiteRtAccelerator.CPU)
            Accelerator.GPU -> setOf(LiteRtAccelerator.GPU)
            // To a neural processor alone, LiteRT's Kotlin adds the processor, which then takes over unseen. NONE stands for
            // nothing, and keeps it from doing so.
            Accelerator.NPU -> setOf(LiteRtAccelerator.NPU, LiteRtAccelerator.NONE)
            Accelerator.CPU, Accelerator.NNAPI -> throw AcceleratorMissingException("litert has no ${asked.id}")
        }

        /**
         * What is known of what was asked for: an accelerator for which a model was compiled alone executes all of it. Which
         * ops XNNPACK takes on the processor, and which LiteRT's other kernels, LiteRT does not say.
         */
        internal fun observed(asked: Accelerator): String? = when (asked) {
            Accelerator.GPU, Accelerator.NPU -> asked.id
            Accelerator.CPU, Accelerator.XNNPACK, Accelerator.NNAPI -> null
        }

        private fun remedy(missing: Accelerator): String = when (missing) {
            Accelerator.CPU -> "LiteRT 2 always runs the processor with XNNPACK: ask for ${Accelerator.XNNPACK.id}"
            Accelerator.GPU -> "add $MODULE-gpu:$PACKAGED_VERSION; with it, this device has no driver that LiteRT can use"
            Accelerator.NPU ->
                "add the vendor's $MODULE-npu-runtime of $PACKAGED_VERSION, and let native libraries be extracted " +
                    "(useLegacyPackaging = true)"
            Accelerator.XNNPACK, Accelerator.NNAPI -> "ask for one of these"
        }

        private fun unusable(error: Exception) =
            RuntimeMissingException("LiteRT cannot be set up on this device: ${told(error)}; take another runtime", error)

        private fun refusal(path: File, accelerator: Accelerator, error: Exception): LoadException {
            val remedy = if (accelerator == Accelerator.XNNPACK) {
                "check the file with pocketclip lint"
            } else {
                "nothing falls back, so ${accelerator.id} must take the whole model: take another precision " +
                    "(pocketclip lint --gpu tells which), or ask for ${Accelerator.XNNPACK.id}"
            }
            return LoadException("litert cannot load ${path.name} for ${accelerator.id}: ${told(error)}; $remedy", error)
        }
    }
}
