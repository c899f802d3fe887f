/// Photographs that shall become embeddings for so many seconds, in this process, as
/// `benchmark/phone_app/throughput_protocol.py` says. Paths are below the app's Documents; `files` are the model's.
public struct ThroughputJob: Equatable, Sendable {
    private static let mostDecoders = 64
    private static let mostSeconds = 3600.0
    private static let mostSteps = 1000
    private static let mostPhotos = 1024
    // A file is read into memory as a whole.
    private static let mostPhotoBytes = 128_000_000
    private static let mostImageSize = 4096

    public let jobId: String
    public let runtime: String
    public let modelPath: String
    public let files: [FileEntry]
    public let photos: [FileEntry]
    public let preprocess: PreprocessSpec
    public let input: TensorSpec
    public let threads: Int
    /// Threads that decode and resize beside the runtime.
    public let decoders: Int
    public let seconds: Double
    /// So many photographs warm the process up,
    public let warmupPhotos: Int
    /// before the steps of so many are timed one by one.
    public let stepPhotos: Int
    public let accelerator: String
}

extension ThroughputJob: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "job_version", "action", "job_id", "runtime", "model_path", "files", "photos", "preprocess", "input",
                "threads", "decoders", "seconds", "warmup_photos", "step_photos", "accelerator",
            ])
        jobId = try fields["job_id"]
        runtime = try fields["runtime"]
        modelPath = try fields["model_path"]
        files = try fields["files"]
        photos = try fields["photos"]
        preprocess = try fields["preprocess"]
        input = try fields["input"]
        threads = try fields["threads"]
        decoders = try fields["decoders"]
        seconds = try fields["seconds"]
        warmupPhotos = try fields["warmup_photos"]
        stepPhotos = try fields["step_photos"]
        accelerator = try fields["accelerator"]
        for (isWrong, words) in [
            (threads < 1, "at least one thread"),
            (!(1...Self.mostDecoders).contains(decoders), "1 to \(Self.mostDecoders) decoders"),
            (seconds <= 0 || seconds > Self.mostSeconds, "seconds above 0 and at most \(Int(Self.mostSeconds))"),
            (!(0...Self.mostSteps).contains(warmupPhotos), "at most \(Self.mostSteps) photographs to warm up"),
            (!(1...Self.mostSteps).contains(stepPhotos), "the steps of 1 to \(Self.mostSteps) photographs"),
            (!(1...Self.mostPhotos).contains(photos.count), "1 to \(Self.mostPhotos) photographs"),
            (
                photos.contains { $0.sizeBytes > Self.mostPhotoBytes },
                "photographs of \(Self.mostPhotoBytes) bytes at most"
            ),
            (preprocess.imageSize > Self.mostImageSize, "an image_size of at most \(Self.mostImageSize)"),
        ] where isWrong {
            throw misfit(place, json, words)
        }
        if let fault = BundleParts.imageInputFault(preprocess, input) {
            throw misfit(place, json, "an input that its preprocessing makes: \(fault)")
        }
    }
}

/// A photograph that could not be decoded, by its path in the job, and why.
public struct UnreadablePhoto: Equatable, Sendable {
    public let name: String
    public let reason: String
}

/// What a throughput came to; `benchmark/records/throughput.py` words each field of `ThroughputLaunch`.
public struct ThroughputLaunch: Equatable, Sendable {
    public var photos = 0
    public var elapsedNs = 0
    public var decodeNs = 0
    public var resizeNs = 0
    public var inferenceNs = 0
    public var before = MachineState()
    public var after: MachineState?
    public var unreadable = 0
    public var firstUnreadable: [UnreadablePhoto] = []

    public init() {}
}

extension UnreadablePhoto: JSONWritable {
    public var json: JSONValue { .object(["name": name.json, "reason": reason.json]) }
}

extension ThroughputLaunch: JSONWritable {
    public var json: JSONValue {
        .object([
            "photos": photos.json, "elapsed_ns": elapsedNs.json, "decode_ns": decodeNs.json,
            "resize_ns": resizeNs.json, "inference_ns": inferenceNs.json, "before": before.json, "after": after.json,
            // Apple's systems do not tell an app what the others do.
            "others_busy_cores": .null, "stolen_share": .null, "energy_joules": .null,
            "unreadable": unreadable.json, "first_unreadable": firstUnreadable.json,
        ])
    }
}
