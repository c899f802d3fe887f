import Foundation

/// The first output for every sample, in order, flattened to `(samples, values)`.
public struct OutputFile: Equatable, Sendable {
    public let path: String
    public let shape: [Int]
    public let sha256: String

    /// Writes outputs as raw little-endian values, whole or not at all.
    ///
    /// - Throws: `ModelError.shape` where they are of unlike shapes, `StorageError` where they cannot be written.
    public static func write(_ outputs: [Tensor], to url: URL, named path: String) throws -> OutputFile {
        let width = outputs.first?.count ?? 0
        if let odd = outputs.first(where: { $0.count != width || $0.type != .float32 }) {
            throw PocketClipError.model(.shape(found: odd.shape, wanted: [1, width]))
        }
        let content = outputs.reduce(into: Data()) { $0.append($1.littleEndian) }
        try AtomicFile.write(content, to: url)
        return OutputFile(path: path, shape: [outputs.count, width], sha256: SHA256Digest.hex(of: content))
    }
}

/// What was found: a failure, or a launch and the outputs that came of it, or a throughput (result version 5).
public struct AgentResult: Equatable, Sendable {
    public var jobId: String?
    public var platform: String
    public var appVersion: String?
    public var failure: JobFailure?
    public var runtimeVersion: String?
    public var acceleratorObserved: String?
    public var launch: Launch?
    public var outputs: OutputFile?
    public var throughput: ThroughputLaunch?
    /// Of the job as it was read.
    public var requestSha256: String?

    public init(platform: String, appVersion: String?) {
        self.platform = platform
        self.appVersion = appVersion
    }
}

/// What an app can do here.
public struct AppFacts: Equatable, Sendable {
    public let appVersion: String?
    public let platform: String
    /// Names with versions; nil where a runtime does not tell.
    public let runtimes: [String: String?]
    public let accelerators: [String: [String]]
    /// Hashes of the models that are kept compiled.
    public let models: [String]
    public let freeBytes: Int?
    public let debuggable: Bool
}

extension JobFailure: JSONWritable {
    public var json: JSONValue { .object(["code": .string(code.rawValue), "message": message.json]) }

    /// Any error in the form that results have.
    public init(_ error: any Error) {
        guard let own = error as? PocketClipError else {
            self.init(.inferenceFailed, "\(error)")
            return
        }
        switch own {
        case .job(let failure): self = failure
        case .document(let error): self.init(.badJob, error.message)
        case .labels, .image: self.init(.badJob, own.message)
        case .bundle(.hostilePath), .bundle(.link): self.init(.pathOutside, own.message)
        case .bundle: self.init(.modelAltered, own.message)
        case .storage(.full): self.init(.noSpace, own.message)
        case .storage: self.init(.badJob, own.message)
        case .model(.runtimeMissing): self.init(.runtimeMissing, own.message)
        case .model(.load): self.init(.loadFailed, own.message)
        case .model(.nonFinite): self.init(.nonFiniteOutput, own.message)
        case .model(.accelerator): self.init(.acceleratorMissing, own.message)
        case .model(.inference), .model(.shape): self.init(.inferenceFailed, own.message)
        }
    }
}

extension OutputFile: JSONWritable {
    public var json: JSONValue {
        .object([
            "path": path.json, "dtype": ElementType.float32.json, "shape": shape.json, "sha256": sha256.json,
        ])
    }
}

extension AgentResult: JSONWritable {
    public var json: JSONValue {
        .object([
            "result_version": ProtocolVersion.result.json, "job_id": jobId.json, "platform": platform.json,
            "app_version": appVersion.json, "failure": failure.json, "runtime_version": runtimeVersion.json,
            "accelerator_observed": acceleratorObserved.json, "launch": launch.json, "outputs": outputs.json,
            "request_sha256": requestSha256.json, "throughput": throughput.json,
        ])
    }
}

extension AppFacts: JSONWritable {
    public var json: JSONValue {
        .object([
            "app_version": appVersion.json, "platform": platform.json,
            "result_version": ProtocolVersion.result.json, "job_version": ProtocolVersion.job.json,
            "runtimes": .object(runtimes.mapValues(\.json)), "accelerators": accelerators.json,
            "models": models.json, "free_bytes": freeBytes.json, "debuggable": debuggable.json,
        ])
    }
}
