package org.pocketclip.core.measuring

import java.io.File
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.Future
import java.util.concurrent.TimeUnit
import org.pocketclip.core.InputException
import org.pocketclip.core.PhotosUnreadableException
import org.pocketclip.core.image.ImageInput
import org.pocketclip.core.image.PhotoDecoder
import org.pocketclip.core.image.RgbImage
import org.pocketclip.core.machine.Machine
import org.pocketclip.core.ranking.Ranking
import org.pocketclip.core.records.MachineState
import org.pocketclip.core.records.ThroughputLaunch
import org.pocketclip.core.records.UnreadablePhoto
import org.pocketclip.core.runtime.Session
import org.pocketclip.core.runtime.Tensor

/**
 * What shall be encoded, and how.
 *
 * @property photos by their names in messages; they are taken in turn, without end.
 * @property decoders threads that decode and resize beside the session.
 * @property seconds for so long at least.
 */
class ThroughputPlan(
    val photos: Map<String, File>,
    val decoders: Int,
    val seconds: Double,
    val warmupPhotos: Int,
    val stepPhotos: Int,
) {
    init {
        require(photos.isNotEmpty() && decoders >= 1 && stepPhotos >= 1) { "a throughput needs photos, decoders and steps" }
    }
}

/**
 * How many photographs a second become embeddings, by the rules of Python's `benchmark.runners.host_throughput`: first the
 * steps of single photographs one by one, then all threads at work.
 *
 * @param watcher called with the machine's state now and then while all work; what it throws ends the measurement.
 */
class Throughput(
    private val session: Session,
    private val input: ImageInput,
    private val decoder: PhotoDecoder,
    private val machine: Machine,
    private val clocks: Clocks = Clocks.System,
    private val progress: (String) -> Unit = {},
    private val watcher: (MachineState) -> Unit = {},
) {
    /**
     * Measures; takes as long as the plan says.
     *
     * @throws PhotosUnreadableException there is none that can be decoded.
     * @throws org.pocketclip.core.ExecutionException the runtime failed, or gave no embedding.
     * @throws java.io.IOException a file cannot be read.
     */
    fun run(plan: ThroughputPlan): ThroughputLaunch {
        val before = machine.state()
        val rotation = Rotation(plan.photos)
        progress("timing single photographs")
        val steps = steps(plan, rotation)
        progress("encoding")
        val watch = machine.watch()
        val (photos, elapsedNs) = flow(plan, rotation)
        val disturbance = watch.finish()
        return ThroughputLaunch(
            photos = photos,
            elapsedNs = elapsedNs,
            decodeNs = steps.median { it.decodeNs },
            resizeNs = steps.median { it.resizeNs },
            inferenceNs = steps.median { it.inferenceNs },
            before = before,
            after = machine.state(),
            othersBusyCores = disturbance.othersBusyCores,
            stolenShare = disturbance.stolenShare,
            energyJoules = disturbance.energyJoules,
            unreadable = rotation.unreadable.size,
            firstUnreadable = rotation.unreadable.entries.take(MOST_NAMED).map { UnreadablePhoto(it.key, it.value) },
        )
    }

    private class Step(val decodeNs: Long, val resizeNs: Long, val inferenceNs: Long)

    private fun List<Step>.median(part: (Step) -> Long): Long = Statistics.median(map(part)).toLong()

    private fun steps(plan: ThroughputPlan, rotation: Rotation): List<Step> {
        val found = mutableListOf<Step>()
        while (found.size < plan.warmupPhotos + plan.stepPhotos) {
            val photo = rotation.next()
            val started = clocks.nanoTime()
            val image = try {
                decode(photo)
            } catch (error: InputException) {
                rotation.leaveOut(photo, error)
                continue
            }
            val decoded = clocks.nanoTime()
            val tensor = input.of(image)
            val resized = clocks.nanoTime()
            encode(tensor)
            found += Step(decoded - started, resized - decoded, clocks.nanoTime() - resized)
        }
        return found.drop(plan.warmupPhotos)
    }

    /** How many photographs were encoded, and in how many nanoseconds. */
    private fun flow(plan: ThroughputPlan, rotation: Rotation): Pair<Int, Long> {
        val pool = Executors.newFixedThreadPool(plan.decoders)
        try {
            val waiting = ArrayDeque<Pair<Photo, Future<Tensor>>>()
            val started = clocks.nanoTime()
            val limitNs = (plan.seconds * NANOSECONDS).toLong()
            var looked = started
            var photos = 0
            while (true) {
                while (waiting.size < maxOf(AHEAD, plan.decoders)) {
                    val photo = rotation.next()
                    waiting += photo to pool.submit<Tensor> { input.of(decode(photo)) }
                }
                val (photo, decoding) = waiting.removeFirst()
                val tensor = try {
                    result(decoding)
                } catch (error: InputException) {
                    rotation.leaveOut(photo, error)
                    continue
                }
                encode(tensor)
                photos++
                val now = clocks.nanoTime()
                if (now - started >= limitNs) return photos to now - started
                if (now - looked >= LOOK_NS) {
                    watcher(machine.state())
                    looked = now
                }
            }
        } finally {
            pool.shutdownNow()
            // The files are gone soon: nobody may be reading them then.
            pool.awaitTermination(LONGEST_DECODING_S, TimeUnit.SECONDS)
        }
    }

    private fun decode(photo: Photo): RgbImage = decoder.decode(photo.file.readBytes())

    private fun encode(tensor: Tensor) {
        Ranking.normalized(session.run(tensor))
    }

    private fun result(decoding: Future<Tensor>): Tensor = try {
        decoding.get()
    } catch (error: ExecutionException) {
        throw error.cause ?: error
    }

    private class Photo(val name: String, val file: File)

    /** The photographs in turn, without those that cannot be decoded. */
    private class Rotation(photos: Map<String, File>) {
        private val all = photos.map { (name, file) -> Photo(name, file) }
        private var place = 0

        /** Why each that was left out cannot be decoded. */
        val unreadable = LinkedHashMap<String, String>()

        fun next(): Photo {
            if (unreadable.size == all.size) {
                val (name, reason) = unreadable.entries.first()
                throw PhotosUnreadableException("none of the ${all.size} photographs can be decoded (first: $name: $reason)")
            }
            while (true) {
                val photo = all[place]
                place = (place + 1) % all.size
                if (photo.name !in unreadable) return photo
            }
        }

        fun leaveOut(photo: Photo, error: InputException) {
            unreadable.getOrPut(photo.name) { error.message.orEmpty().take(LONGEST_REASON).ifEmpty { "no reason is known" } }
        }
    }

    private companion object {
        const val NANOSECONDS = 1e9

        // Decoded photographs that wait for the tower, as in `pocketclip index`.
        const val AHEAD = 8
        const val MOST_NAMED = 5
        const val LONGEST_REASON = 300
        const val LONGEST_DECODING_S = 10L

        // Asking the system's services takes time from what is measured.
        const val LOOK_NS = 5_000_000_000L
    }
}
