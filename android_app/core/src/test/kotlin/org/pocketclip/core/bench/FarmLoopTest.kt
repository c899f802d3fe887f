package org.pocketclip.core.bench

import java.io.File
import java.nio.file.Path
import java.util.zip.CRC32
import java.util.zip.ZipEntry
import java.util.zip.ZipFile
import java.util.zip.ZipOutputStream
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.pocketclip.core.Documents
import org.pocketclip.core.MachineException
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind
import org.pocketclip.core.records.LoopLaunch
import org.pocketclip.core.records.LoopOrder

class FarmLoopTest {
    @TempDir
    lateinit var temporary: Path
    private val external by lazy { temporary.resolve("external").toFile().apply { mkdirs() } }
    private val device = DeviceFacts("Pixel", DeviceKind.PHONE, "Android 15", "aarch64", "Tensor", listOf("neon"), 8, 1L shl 33)
    private val launches = listOf(LoopLaunch("stage-0", "stage", "a1"), LoopLaunch("launch-0", "measure", "b2"))
    private val published = mutableListOf<Map<String, ByteArray>>()
    private val rests = mutableListOf<Long>()
    private val started = mutableListOf<List<Any?>>()

    private fun order(vararg changes: Pair<String, String>): String {
        val text = Documents.write(LoopOrder.serializer(), LoopOrder(1, TOKEN, 60, 2, launches))
        return changes.fold(text) { found, (old, new) -> found.replace(old, new).also { assertFalse(it == found, old) } }
    }

    private fun pack(order: String? = order(), more: Map<String, String> = emptyMap()) {
        val requests = launches.associate { "$TOKEN/requests/${it.folder}.json" to "{\"of\": \"${it.folder}\"} stored-1" }
        ZipOutputStream(File(external, FarmLoop.PACKAGE).outputStream()).use { archive ->
            for ((path, content) in listOfNotNull(order?.let { "loop.json" to it }) + requests.toList() + more.toList()) {
                val stored = ZipEntry(path).apply {
                    method = ZipEntry.STORED
                    size = content.length.toLong()
                    crc = CRC32().apply { update(content.toByteArray()) }.value
                }
                archive.putNextEntry(stored)
                archive.write(content.toByteArray())
                archive.closeEntry()
            }
        }
    }

    private fun run(launch: (String, String?) -> LaunchEnd = { _, _ -> LaunchEnd.Answered("12 ab") }): Map<String, String> {
        val launcher = Launcher { action, request, sha256, limitMs ->
            started += listOf(action, request, sha256, limitMs)
            launch(action, request)
        }
        FarmLoop(external, device, launcher, ::publish, rests::add).run()
        return published.last().mapValues { it.value.decodeToString() }
    }

    private fun publish(zip: ByteArray) {
        val file = temporary.resolve("results.zip").toFile().apply { writeBytes(zip) }
        ZipFile(file).use { archive ->
            published += archive.entries().asSequence().associate { it.name to archive.getInputStream(it).readBytes() }
        }
    }

    @Test
    fun `every launch gets its request, and what it wrote comes back`() {
        val outputs = ByteArray(300) { it.toByte() }
        pack(more = mapOf("$TOKEN/models/m/model.onnx" to "weights"))
        val results = run { action, request ->
            val folder = if (request == null) File(external, "facts") else File(external, request).parentFile
            folder.mkdirs()
            File(folder, "result.json").writeText(action)
            if (action == "measure") File(folder, "outputs.bin").writeBytes(outputs)
            if (action == "stage") {
                assertEquals("weights", File(external, "$TOKEN/models/m/model.onnx").readText())
                assertEquals("{\"of\": \"stage-0\"} stored-1", File(external, request!!).readText())
            }
            LaunchEnd.Answered("12 ab")
        }
        assertEquals(
            listOf(
                listOf("facts", null, null, 60_000L),
                listOf("stage", "$TOKEN/stage-0/request.json", "a1", 60_000L),
                listOf("measure", "$TOKEN/launch-0/request.json", "b2", 60_000L),
            ),
            started,
        )
        assertEquals(listOf(2000L, 2000L), rests)
        assertEquals(device, Documents.read(DeviceFacts.serializer(), results.getValue("pocketclip-out/device.json"), "device"))
        assertEquals("measure", results["pocketclip-out/launch-0/result.json"])
        assertEquals("0\n", results["pocketclip-out/launch-0/code.txt"])
        assertEquals("INSTRUMENTATION_RESULT: pocketclip=12 ab\nINSTRUMENTATION_CODE: -1\n", results["pocketclip-out/facts/said.txt"])
        assertArrayEquals(outputs, published.last()["pocketclip-out/launch-0/outputs.bin"])
        assertFalse("pocketclip-out/error.txt" in results)
        assertFalse(File(external, TOKEN).exists())
        // After every launch: a farm may end the test at any time.
        assertEquals(listOf(false, false, true, true), published.map { "pocketclip-out/launch-0/code.txt" in it })
    }

    @Test
    fun `a launch that ends otherwise says how, and the next one follows`() {
        pack()
        val results = run { action, _ ->
            when (action) {
                "facts" -> LaunchEnd.Refused("no\nway")
                "stage" -> LaunchEnd.Died("ApplicationExitInfo #0:\n pid=7 reason=3")
                else -> LaunchEnd.TimedOut
            }
        }
        assertEquals("INSTRUMENTATION_RESULT: error=no way\nINSTRUMENTATION_CODE: 0\n", results["pocketclip-out/facts/said.txt"])
        assertTrue("shortMsg=Process crashed." in results.getValue("pocketclip-out/stage-0/said.txt"))
        assertEquals("ApplicationExitInfo #0:\n pid=7 reason=3", results["pocketclip-out/stage-0/exits.txt"])
        assertEquals("124\n", results["pocketclip-out/launch-0/code.txt"])
    }

    @Test
    fun `a package that cannot be used is told, and nothing is started`() {
        val outside = File(temporary.toFile(), "evil.txt")
        for ((words, make) in listOf<Pair<String, () -> Unit>>(
            "cannot be read" to { File(external, FarmLoop.PACKAGE).delete() },
            "no zip" to { File(external, FarmLoop.PACKAGE).writeText("PK no") },
            "no loop.json" to { pack(order = null) },
            "version 2" to { pack(order("\"loop_version\":1" to "\"loop_version\":2")) },
            "not valid" to { pack(order("\"limit_seconds\":60" to "\"limit_seconds\":\"x\"")) },
            "no plain ones" to { pack(order(TOKEN to "../up")) },
            "or one twice" to { pack(order("launch-0" to "stage-0")) },
            "an action that is none" to { pack(order("\"measure\"" to "\"forget\"")) },
            "impossible" to { pack(order("\"rest_seconds\":2" to "\"rest_seconds\":-1")) },
            "beside its folder" to { pack(more = mapOf("other/file" to "x")) },
            "which leaves the folder" to { pack(more = mapOf("$TOKEN/../../evil.txt" to "x")) },
            "both as a file and as a folder" to { pack(more = mapOf("$TOKEN/requests" to "x")) },
            "is not what it announces" to {
                pack()
                // Of the requests' content, in the zip as it is.
                val file = File(external, FarmLoop.PACKAGE)
                val text = file.readBytes().toString(Charsets.ISO_8859_1)
                file.writeBytes(text.replaceFirst("stored-1", "stored-2").toByteArray(Charsets.ISO_8859_1))
            },
            "larger than any order" to { pack(" ".repeat(2 shl 20)) },
        )) {
            make()
            val told = run()["pocketclip-out/error.txt"]
            assertTrue(words in told.orEmpty(), "$words: $told")
        }
        assertTrue(started.isEmpty())
        assertFalse(outside.exists())
    }

    @Test
    fun `what breaks off in the middle keeps what was there`() {
        pack()
        val results = run { action, _ -> if (action == "stage") throw MachineException("gone") else LaunchEnd.Answered("1 a") }
        assertTrue("gone" in results.getValue("pocketclip-out/error.txt"))
        assertTrue("pocketclip-out/facts/code.txt" in results)
    }

    private companion object {
        const val TOKEN = "pocketclip-1"
    }
}
