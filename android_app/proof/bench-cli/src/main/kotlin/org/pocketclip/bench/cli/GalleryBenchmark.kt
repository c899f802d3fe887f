package org.pocketclip.bench.cli

import com.sun.management.OperatingSystemMXBean
import java.io.File
import java.lang.management.BufferPoolMXBean
import java.lang.management.ManagementFactory
import java.nio.file.Files
import java.util.Locale
import java.util.Random
import kotlin.math.sqrt
import kotlin.system.exitProcess
import org.pocketclip.core.gallery.GALLERY_SCHEMA_VERSION
import org.pocketclip.core.gallery.GalleryIdentity
import org.pocketclip.core.gallery.GalleryIndex

private const val USAGE = "usage: java -cp bench-cli.jar org.pocketclip.bench.cli.GalleryBenchmarkKt [PHOTOS [WIDTH [--groups]]]"
private const val PHOTOS = 100_000
private const val WIDTH = 512
private const val MOST = 60
private const val WARM_UP = 20
private const val QUERIES = 100

/** Makes an index of random embeddings and says how long it takes to open it and to search it, and what it takes of memory. */
fun main(arguments: Array<String>) {
    val numbers = arguments.filter { it != "--groups" }.map(String::toIntOrNull)
    if (numbers.size > 2 || numbers.any { it == null || it < 1 }) {
        System.err.println(USAGE)
        exitProcess(2)
    }
    val folder = Files.createTempDirectory("gallery").toFile()
    try {
        GalleryBenchmark(folder, numbers.getOrNull(0) ?: PHOTOS, numbers.getOrNull(1) ?: WIDTH).run("--groups" in arguments)
    } finally {
        folder.deleteRecursively()
    }
}

private class GalleryBenchmark(private val folder: File, private val photos: Int, private val width: Int) {
    private val random = Random(1)
    private val system = ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean

    fun run(groups: Boolean) {
        val processors = Runtime.getRuntime().availableProcessors()
        println("$photos photos, $width values each; $processors processors, Java ${System.getProperty("java.version")}")
        write()
        println("files: ${megabytes(folder.walk().filter(File::isFile).sumOf { it.length() })}")
        val before = heapBytes()
        val opening = Timer()
        val index = GalleryIndex.open(folder)
        println("opened, each row looked at, in $opening")
        println("memory: ${megabytes(heapBytes() - before)} of the heap; ${megabytes(mappedBytes())} of the file are mapped")
        for (threads in listOf(1, processors).distinct()) search(index, threads)
        if (groups) {
            val grouping = Timer()
            println("${index.similarGroups().size} groups of similar photos in $grouping")
        }
    }

    private fun write() {
        val identity = GalleryIdentity(
            GALLERY_SCHEMA_VERSION, "random", "0".repeat(64), "0".repeat(64), width, "content://folder", "random",
        )
        val writing = Timer()
        GalleryIndex.open(folder, identity).write().use { writer ->
            for (photo in 0 until photos) {
                val name = "IMG_20250101_${photo.toString().padStart(9, '0')}.jpg"
                writer.add("$PLACE$name", "1700000000000", vector(), name)
                if (photo % FLUSH_EVERY == 0) writer.flush()
            }
        }
        println("made and written in $writing")
    }

    private fun search(index: GalleryIndex, threads: Int) {
        val queries = List(WARM_UP + QUERIES) { vector() }
        queries.take(WARM_UP).forEach { index.nearest(it, MOST, threads) }
        val all = Timer()
        val times = queries.drop(WARM_UP).map { query ->
            val started = System.nanoTime()
            index.nearest(query, MOST, threads)
            (System.nanoTime() - started) / 1e6
        }.sorted()
        println(
            "query, threads: %d: median %.1f ms, p90 %.1f ms, least %.1f ms; processor time %.1f ms".format(
                Locale.ROOT, threads, times[QUERIES / 2], times[QUERIES * 9 / 10], times[0], all.processorMs() / QUERIES,
            ),
        )
    }

    /** What has passed since it was made, by the clock and of the processors' time for this process. */
    private inner class Timer {
        private val startedNs = System.nanoTime()
        private val processorNs = system.processCpuTime

        fun processorMs(): Double = (system.processCpuTime - processorNs) / 1e6

        override fun toString(): String =
            "%.0f ms; processor time %.0f ms".format(Locale.ROOT, (System.nanoTime() - startedNs) / 1e6, processorMs())
    }

    private fun megabytes(bytes: Long): String = "%.1f MB".format(Locale.ROOT, bytes / 1e6)

    private fun vector(): FloatArray {
        val values = DoubleArray(width) { random.nextGaussian() }
        val length = sqrt(values.sumOf { it * it })
        return FloatArray(width) { (values[it] / length).toFloat() }
    }

    private fun heapBytes(): Long {
        repeat(3) { System.gc() }
        return Runtime.getRuntime().run { totalMemory() - freeMemory() }
    }

    private fun mappedBytes(): Long = ManagementFactory.getPlatformMXBeans(BufferPoolMXBean::class.java)
        .filter { it.name.startsWith("mapped") }.sumOf { it.memoryUsed }

    private companion object {
        const val FLUSH_EVERY = 4096

        /** As long as what Android names photos with. */
        const val PLACE =
            "content://com.android.externalstorage.documents/tree/primary%3ADCIM/document/primary%3ADCIM%2FCamera%2F"
    }
}
