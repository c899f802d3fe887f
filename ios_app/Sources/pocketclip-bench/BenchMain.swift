import Foundation
import PocketClipCore

#if canImport(CoreML)
    import PocketClipCoreAI
    import PocketClipCoreML
#endif

/// The app's headless mode as a program.
///
///     pocketclip-bench [--documents FOLDER] [--state FILE] [--app-version TEXT] [--replays FOLDER]
///     pocketclip-bench --selftest BUNDLE [--replays FOLDER]
///     pocketclip-bench --search PHOTOS [--width VALUES] [--index FOLDER] [--duplicates yes]
///
/// It reads `FOLDER/job.json` and writes `FOLDER/result.json`, prints what a bundle's self-test found as JSON, or says
/// how long a search among so many photographs takes. On Apple's systems Core ML and Core AI run the models; elsewhere outputs are
/// replayed (see `ReplayRuntime`), photographs are BMP files (see `BitmapFileDecoder`), and the state's file says what
/// iOS's services would: the way to a phone can be tried without one.
@main
struct BenchMain {
    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            #if canImport(CoreML)
                let runtimes: [any ModelRuntime] = [CoreMLRuntime(), CoreAISupport.runtime()]
                let machine = AppleMachine()
                let decoder = ApplePhotoDecoder()
            #else
                let machine = try StandInMachine(stateFile: options.state, appVersion: options.appVersion)
                let runtimes = machine.runtimes(replays: options.replays)
                let decoder = BitmapFileDecoder()
            #endif
            if let bundle = options.selfTest {
                let report = try await SelfTest(ClipBundle(opening: bundle), runtimes: runtimes).run()
                FileHandle.standardOutput.write(try report.json.text() + Data("\n".utf8))
                exit(report.passed ? 0 : 1)
            }
            if let photos = options.searchedPhotos {
                let search = SearchBench(
                    photos: photos, width: options.width, folder: options.index,
                    findsDuplicates: options.findsDuplicates, machine: machine)
                return try await search.run()
            }
            let bench = HeadlessBench(
                documents: options.documents, runtimes: runtimes, machine: machine, decoder: decoder
            ) { line in
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
    private(set) var searchedPhotos: Int?
    private(set) var width = 512
    private(set) var index: URL?
    private(set) var findsDuplicates = false

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
            case "--search": searchedPhotos = try Self.count(value, name)
            case "--width": width = try Self.count(value, name)
            case "--index": index = URL(fileURLWithPath: value, isDirectory: true)
            case "--duplicates": findsDuplicates = value == "yes"
            default:
                throw Fault(
                    description: "there is no option \(name); "
                        + "--documents, --state, --app-version, --replays, --selftest, --search, --width, "
                        + "--index and --duplicates are known")
            }
        }
    }

    private static func count(_ text: String, _ name: String) throws -> Int {
        guard let count = Int(text), count > 0 else {
            throw Fault(description: "\(name) needs a number above 0, got \(text)")
        }
        return count
    }
}
