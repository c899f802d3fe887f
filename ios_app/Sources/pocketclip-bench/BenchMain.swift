import Foundation
import PocketClipCore

#if canImport(CoreML)
    import PocketClipCoreML
#endif

/// The app's headless mode as a program.
///
///     pocketclip-bench [--documents FOLDER] [--state FILE] [--app-version TEXT] [--replays FOLDER]
///     pocketclip-bench --selftest BUNDLE [--replays FOLDER]
///
/// It reads `FOLDER/job.json` and writes `FOLDER/result.json`, or prints what a bundle's self-test found as JSON. On
/// Apple's systems Core ML runs the models; elsewhere outputs are replayed (see `ReplayRuntime`), and the state's file
/// says what iOS's services would: the way to a phone can be tried without one.
@main
struct BenchMain {
    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            #if canImport(CoreML)
                let runtimes: [any ModelRuntime] = [CoreMLRuntime()]
                let machine = AppleMachine()
            #else
                let runtimes: [any ModelRuntime] = [ReplayRuntime(folder: options.replays)]
                let machine = try StandInMachine(stateFile: options.state, appVersion: options.appVersion)
            #endif
            if let bundle = options.selfTest {
                let report = try await SelfTest(ClipBundle(opening: bundle), runtimes: runtimes).run()
                FileHandle.standardOutput.write(try report.json.text() + Data("\n".utf8))
                exit(report.passed ? 0 : 1)
            }
            let bench = HeadlessBench(documents: options.documents, runtimes: runtimes, machine: machine) { line in
                FileHandle.standardOutput.write(Data((line + "\n").utf8))
            }
            try await bench.run()
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(2)
        }
    }
}

/// What the command line says.
struct Options {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var documents = URL(fileURLWithPath: "Documents", isDirectory: true)
    private(set) var state: URL?
    private(set) var appVersion: String?
    private(set) var replays: URL?
    private(set) var selfTest: URL?

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw Fault(description: "\(name) needs a value")
            }
            switch name {
            case "--documents": documents = URL(fileURLWithPath: value, isDirectory: true)
            case "--state": state = URL(fileURLWithPath: value)
            case "--app-version": appVersion = value
            case "--replays": replays = URL(fileURLWithPath: value, isDirectory: true)
            case "--selftest": selfTest = URL(fileURLWithPath: value, isDirectory: true)
            default:
                throw Fault(
                    description: "there is no option \(name); "
                        + "--documents, --state, --app-version, --replays and --selftest are known")
            }
        }
    }
}
