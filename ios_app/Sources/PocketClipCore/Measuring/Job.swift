import Foundation

/// The protocol's versions (`benchmark/runners/protocol.py`).
public enum ProtocolVersion {
    public static let job = 4
    public static let result = 5
}

/// What the harness wants of an app that was started headless.
public enum HeadlessAction: Equatable, Sendable {
    case facts
    case measure(Job)
    case throughput(ThroughputJob)
    case arrange(Arrangement)

    /// Reads `job.json`.
    ///
    /// - Throws: `JobFailure` with `bad-job`.
    public init(parsing data: Data) throws {
        do {
            let json = try JSONValue(parsing: data, source: "job.json")
            guard case .object(let fields) = json else { throw misfit("job.json", json, "an object") }
            let version = fields["job_version"] ?? .null
            guard version == .integer(ProtocolVersion.job) else {
                throw PocketClipError.job(
                    JobFailure(
                        .badJob,
                        "this app takes jobs of version \(ProtocolVersion.job), got \(version.worded); "
                            + "install the app of the same version as the harness"))
            }
            switch fields["action"] {
            case .string("facts"): self = .facts
            case .string("measure"): self = .measure(try Job(json: json, at: "job.json"))
            case .string("throughput"): self = .throughput(try ThroughputJob(json: json, at: "job.json"))
            case .string("arrange"): self = .arrange(try Arrangement(json: json, at: "job.json"))
            default:
                throw misfit(
                    "job.json.action", fields["action"] ?? .null,
                    "\"facts\", \"measure\", \"throughput\" or \"arrange\"")
            }
        } catch PocketClipError.document(let error) {
            throw PocketClipError.job(JobFailure(.badJob, error.message))
        }
    }
}

/// A model input: raw little-endian values in C order, first axis samples.
public struct InputFile: Equatable, Sendable {
    public let path: String
    public let type: ElementType
    public let shape: [Int]
}

/// What shall be measured in this process. Paths are below the app's Documents; `files` are the model's.
public struct Job: Equatable, Sendable {
    public let jobId: String
    public let runtime: String
    public let modelPath: String
    public let files: [FileEntry]
    public let inputs: [InputFile]
    public let threads: Int
    public let warmup: WarmupRule
    public let iterations: Int
    public let minimumSeconds: Double
    public let sustainedSeconds: Double?
    public let cores: [Int]?
    public let accelerator: String
    public let loadMode: LoadMode
    public let outputsPath: String
}

/// Files and folders to remove, which need not be there, and then folders to make. Paths are below the app's Documents.
///
/// What is copied to a phone belongs to the system, in folders that the app may not write to unless it made them itself.
public struct Arrangement: Equatable, Sendable {
    public let remove: [String]
    public let folders: [String]

    /// - Throws: `BundleError` for a path that leaves the folder, `StorageError`.
    func carryOut(in documents: URL) throws {
        let manager = FileManager.default
        let gone = try remove.map { try SafePath.resolve($0, in: documents) }
        let made = try folders.map { try SafePath.resolve($0, in: documents) }
        for place in gone where manager.fileExists(atPath: place.path) {
            do {
                try manager.removeItem(at: place)
            } catch {
                throw AtomicFile.worded(error, path: place.lastPathComponent)
            }
        }
        for place in made {
            do {
                try manager.createDirectory(at: place, withIntermediateDirectories: true)
            } catch {
                throw AtomicFile.worded(error, path: place.lastPathComponent)
            }
        }
    }
}

extension Arrangement: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place, known: ["job_version", "action", "job_id", "remove", "folders"])
        remove = try fields["remove"]
        folders = try fields["folders"]
    }
}

extension InputFile: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["path", "dtype", "shape"])
        path = try fields["path"]
        type = try fields["dtype"]
        shape = try fields["shape"]
    }
}

extension Job: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "job_version", "action", "job_id", "runtime", "model_path", "files", "inputs", "threads", "warmup",
                "iterations", "minimum_seconds", "sustained_seconds", "cores", "accelerator", "load_mode",
                "outputs_path",
            ])
        jobId = try fields["job_id"]
        runtime = try fields["runtime"]
        modelPath = try fields["model_path"]
        files = try fields["files"]
        inputs = try fields["inputs"]
        threads = try fields["threads"]
        warmup = try fields["warmup"]
        iterations = try fields["iterations"]
        minimumSeconds = try fields["minimum_seconds"]
        sustainedSeconds = try fields["sustained_seconds"]
        cores = try fields["cores"]
        accelerator = try fields["accelerator"]
        loadMode = try fields["load_mode"]
        outputsPath = try fields["outputs_path"]
        for (isWrong, words) in [
            (iterations < 1, "at least one iteration"),
            (minimumSeconds < 0, "minimum_seconds of at least 0"),
            ((sustainedSeconds ?? 0) < 0, "sustained_seconds of at least 0"),
            (threads < 1, "at least one thread"),
            (inputs.count != 1, "one input, as every tower has"),
            (cores != nil, "no cores: iOS does not let a program choose them"),
        ] where isWrong {
            throw misfit(place, json, words)
        }
    }
}
