package org.pocketclip.bench.cli

import java.io.File
import kotlin.system.exitProcess
import org.pocketclip.core.InputException
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.bench.Answer
import org.pocketclip.core.bench.Application
import org.pocketclip.core.bench.BenchProgram
import org.pocketclip.core.bench.FarmLoop
import org.pocketclip.core.bench.LaunchEnd
import org.pocketclip.core.bench.Launcher
import org.pocketclip.core.machine.LinuxMachine
import org.pocketclip.core.records.DeviceFacts
import org.pocketclip.core.records.DeviceKind
import org.pocketclip.runtime.onnxruntime.OnnxRuntime

private const val VERSION = "0.1.0"
private const val USAGE = "usage: java -jar bench-cli.jar --external DIR --internal DIR --state FILE ACTION [REQUEST]\n" +
    "       ... loop RESULTS: carries out the package of a hosted farm in the external folder, and writes the zip RESULTS"
private const val LOOP = "loop"

private val DEVICE = DeviceFacts("a JVM", DeviceKind.PHONE, "OpenJDK", "jvm", "jvm", emptyList(), 1, null)

/** `Activity.RESULT_OK`, with which an instrumentation that worked finishes; and how one fails. */
private const val WORKED = -1
private const val FAILED = 0

/** The bench application's core without Android: does what `am instrument` does there, and prints the same lines. */
fun main(arguments: Array<String>) {
    val options = Options.of(arguments.toList())
    if (options == null) {
        System.err.println(USAGE)
        exitProcess(2)
    }
    exitProcess(if (run(options)) 0 else 1)
}

private fun run(options: Options): Boolean {
    try {
        val state = PhoneState.read(options.state)
        val services = PhoneServices(options.state)
        val program = BenchProgram(
            external = options.external,
            internal = options.internal,
            runtimes = listOf(state.npu?.let { StandInNpu(OnnxRuntime(), it, state.qnn) } ?: OnnxRuntime()),
            decoder = ImageIoPhotos,
            machine = LinuxMachine(services),
            services = services,
            application = Application(VERSION, "OpenJDK ${System.getProperty("java.version")}", state.debuggable),
            progress = ::printProgress,
        )
        if (options.action == LOOP) {
            loop(options, program)
            return true
        }
        val answer = program.run(options.action, options.request, options.requestSha256)
        println("INSTRUMENTATION_RESULT: ${answer.line}")
        println("INSTRUMENTATION_CODE: $WORKED")
        return true
    } catch (error: PocketClipException) {
        println("INSTRUMENTATION_RESULT: ${Answer.ERROR}=${error.message.orEmpty().replace('\n', ' ')}")
        println("INSTRUMENTATION_CODE: $FAILED")
        return false
    }
}

/** As a hosted farm's phone does it, though in one process. */
private fun loop(options: Options, program: BenchProgram) {
    val launcher = Launcher { action, request, sha256, _ ->
        try {
            LaunchEnd.Answered(program.run(action, request, sha256).value)
        } catch (error: PocketClipException) {
            LaunchEnd.Refused(error.message.orEmpty())
        }
    }
    val results = File(options.request ?: throw InputException("loop needs the name of a zip for its results"))
    FarmLoop(options.external, DEVICE, launcher, results::writeBytes).run()
}

private fun printProgress(words: String) {
    println("INSTRUMENTATION_STATUS: ${Answer.PROGRESS}=$words")
    println("INSTRUMENTATION_STATUS_CODE: 1")
    System.out.flush()
}

private class Options(
    val external: File,
    val internal: File,
    val state: File,
    val action: String,
    val request: String?,
    val requestSha256: String?,
) {
    companion object {
        private val NAMES = setOf("--external", "--internal", "--state")

        fun of(arguments: List<String>): Options? {
            val named = mutableMapOf<String, File>()
            val rest = mutableListOf<String>()
            val left = ArrayDeque(arguments)
            while (left.isNotEmpty()) {
                val argument = left.removeFirst()
                when {
                    argument !in NAMES -> rest += argument
                    left.isEmpty() -> return null
                    else -> named[argument] = File(left.removeFirst())
                }
            }
            if (named.keys != NAMES || rest.size !in 1..3) return null
            return Options(
                named.getValue("--external"), named.getValue("--internal"), named.getValue("--state"),
                rest[0], rest.getOrNull(1), rest.getOrNull(2),
            )
        }
    }
}
