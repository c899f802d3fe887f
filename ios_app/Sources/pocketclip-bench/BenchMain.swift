import Foundation
import PocketClipCore

#if canImport(CoreML)
    import PocketClipCoreML
#endif

/// `pocketclip-bench [--documents FOLDER] [--state FILE] [--app-version TEXT]`: the app's headless mode as a program.
///
/// It reads `FOLDER/job.json` and writes `FOLDER/result.json`. On Apple's systems Core ML runs the model; elsewhere its
/// outputs are replayed (see `ReplayRuntime`), and FILE says what iOS's services would: the way to a phone can be tried
/// without one.
@main
struct BenchMain {
    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            #if canImport(CoreML)
                let runtimes: [any ModelRuntime] = [CoreMLRuntime()]
                let machine = AppleMachine()
            #else
                let runtimes: [any ModelRuntime] = [ReplayRuntime()]
                let machine = try StandInMachine(stateFile: options.state, appVersion: options.appVersion)
            #endif
            let bench = HeadlessBench(documents: options.documents, runtimes: runtimes, machine: machine) {
                print($0)
            }
            try await bench.run()
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(error is Options.Fault ? 2 : 1)
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
            default:
                throw Fault(description: "no option \(name); --documents, --state and --app-version are known")
            }
        }
    }
}
