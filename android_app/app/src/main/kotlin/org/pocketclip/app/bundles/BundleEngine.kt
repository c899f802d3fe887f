package org.pocketclip.app.bundles

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.withContext
import org.pocketclip.core.InferenceException
import org.pocketclip.core.bundle.Bundle
import org.pocketclip.core.bundle.BundledTower
import org.pocketclip.core.bundle.NpuVariant
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.inference.Classifier
import org.pocketclip.core.inference.ImageEncoder
import org.pocketclip.core.inference.RunningTower
import org.pocketclip.core.inference.TextEncoder
import org.pocketclip.core.runtime.InferenceRuntime
import org.pocketclip.core.runtime.LoadOptions

/** The towers of an opened bundle. [compute] must run one thing at a time: sessions belong to one thread each moment. */
class BundleEngine private constructor(
    private val bundle: Bundle,
    private val images: ImageEncoder,
    private val texts: TextEncoder,
    private val compute: CoroutineDispatcher,
) : Engine {
    private val classifier = Classifier(bundle, images) { texts }
    private val known: MutableSet<String> = bundle.manifest.labels?.names.orEmpty().toMutableSet()
    private var closed = false

    override val summary = summary(bundle, images.running, texts.running)

    override suspend fun classify(image: RgbImage, labels: List<String>): Classified = onModels {
        val started = System.nanoTime()
        val embedded = classifier.labels(labels)
        val textNs = System.nanoTime() - started
        val allKnown = !known.addAll(labels)
        val found = classifier.classify(image, embedded)
        Classified(found.labels, found.image.preparationNs, found.image.inferenceNs, if (allKnown) null else textNs)
    }

    override suspend fun embed(image: RgbImage): FloatArray = onModels { images.encode(image).values }

    override suspend fun embed(sentence: String): FloatArray = onModels { texts.encode(sentence).values }

    private suspend fun <T> onModels(action: () -> T): T = withContext(compute) {
        if (closed) throw InferenceException("another bundle was opened meanwhile; try again")
        action()
    }

    /** Frees the models once what runs has finished. */
    override fun close() {
        compute.dispatch(kotlin.coroutines.EmptyCoroutineContext) {
            if (!closed) {
                closed = true
                images.close()
                texts.close()
            }
        }
    }

    companion object {
        /**
         * Loads both towers, or their variants for the chip [soc].
         *
         * @throws org.pocketclip.core.ExecutionException a runtime or an accelerator is missing, or refuses a model.
         */
        fun open(
            bundle: Bundle,
            runtimes: List<InferenceRuntime>,
            compute: CoroutineDispatcher,
            options: LoadOptions = LoadOptions(),
            soc: String? = null,
        ): BundleEngine {
            val images = ImageEncoder.open(bundle, runtimes, options, soc)
            try {
                return BundleEngine(bundle, images, TextEncoder.open(bundle, runtimes, options, soc), compute)
            } catch (error: Throwable) {
                images.close()
                throw error
            }
        }

        private fun summary(bundle: Bundle, images: RunningTower, texts: RunningTower): BundleSummary {
            val manifest = bundle.manifest
            fun tower(plain: BundledTower, running: RunningTower): TowerSummary {
                val npu = (running.model as? NpuVariant)?.let {
                    NpuSummary(it.soc, it.runtime, it.precision, bundle.modelSizeBytes(it))
                }
                return TowerSummary(plain.runtime, plain.precision, bundle.modelSizeBytes(plain), npu, running.whyNotNpu)
            }
            return BundleSummary(
                sha256 = bundle.sha256,
                model = manifest.model.name,
                weightsSha256 = manifest.model.weightsSha256,
                imageSha256 = images.model.artifactSha256,
                width = manifest.model.embeddingDim,
                image = tower(manifest.image, images),
                text = tower(manifest.text, texts),
                labels = manifest.labels?.names.orEmpty(),
                logitScale = manifest.model.logitScale,
            )
        }
    }
}
