import Foundation

/// How far a benchmark came.
public enum RecordStatus: String, JSONWord {
    case measured
    case counted
    case parityOnly = "parity-only"
    case failed
}

/// Which artefact was measured; `sha256` covers all its files, the size the model files alone.
public struct ArtifactIdentity: Equatable, Sendable {
    public let model: String
    public let tower: Tower
    public let target: String
    public let precision: String
    public let sha256: String
    public let weightsSha256: String
    public let modelSizeBytes: Int
    public let scheme: String
    /// False where the weights are random ones, nil where it is not known.
    public let trained: Bool?

    /// Of a tower of a bundle, or of one of its variants.
    public init(_ tower: Tower, _ variant: BundledTower? = nil, of manifest: BundleManifest) {
        let bundled = variant ?? manifest.tower(tower)
        model = manifest.model.name
        self.tower = tower
        target = bundled.target
        precision = bundled.precision
        sha256 = bundled.artifactSha256
        weightsSha256 = manifest.model.weightsSha256
        modelSizeBytes = bundled.modelFiles(of: manifest).reduce(0) { $0 + $1.sizeBytes }
        scheme = bundled.scheme
        trained = manifest.isUntrained ? false : nil
    }
}

/// Accelerators asked for and seen are told apart: fallbacks are silent.
public struct RuntimeFacts: Equatable, Sendable {
    public let name: String
    public let version: String?
    public let acceleratorRequested: String
    public let acceleratorObserved: String?

    public init(name: String, version: String?, acceleratorRequested: String, acceleratorObserved: String?) {
        self.name = name
        self.version = version
        self.acceleratorRequested = acceleratorRequested
        self.acceleratorObserved = acceleratorObserved
    }
}

/// What was asked for.
public struct RunSettings: Equatable, Sendable {
    public var threads = 1
    public var iterations = 100
    public var minimumSeconds = 0.0
    public var launches = 1
    public var warmup = WarmupRule()
    public var loadMode = LoadMode.file
    public var sustainedSeconds: Double?
    public var accelerator = Accelerator.all

    public init() {}
}

/// Outputs of this very run against golden tensors, worst sample.
public struct GoldenCheck: Equatable, Sendable {
    /// What drifts further than this runs something else: kernels differ in rounding alone.
    public static let sameOutputsCosine = 0.99

    public let samples: Int
    public let cosineMin: Double
    public let maxAbs: Double
    public let exportedCosineMin: Double

    /// - Parameters:
    ///   - outputs: rows of this run.
    ///   - reference: PyTorch's.
    ///   - exported: what the artefact gave when it was exported.
    /// - Returns: nil where there are no rows, or rows of unlike lengths.
    public init?(outputs: [[Float]], reference: [[Float]], exported: [[Float]]) {
        let lengths = [outputs, reference, exported].map { $0.map(\.count) }
        guard !outputs.isEmpty, lengths[0] == lengths[1], lengths[0] == lengths[2] else { return nil }
        samples = outputs.count
        cosineMin = zip(outputs, reference).map { Vectors.cosine($0, $1) }.min() ?? 0
        maxAbs =
            zip(outputs, reference).flatMap { zip($0, $1).map { abs(Double($0) - Double($1)) } }.max() ?? 0
        exportedCosineMin = zip(outputs, exported).map { Vectors.cosine($0, $1) }.min() ?? 0
    }

    /// What makes the outputs another model's, in words; nil where they are this one's.
    public var fault: String? {
        guard exportedCosineMin < Self.sameOutputsCosine else { return nil }
        return "golden-mismatch: outputs differ from those at export (cosine "
            + String(format: "%.4f", exportedCosineMin)
            + ", at least \(Self.sameOutputsCosine) wanted): this device or runtime version computes something else"
    }
}

/// Time to make one input from a decoded image, or from a prompt.
public struct Preparation: Equatable, Sendable {
    public let step: String
    public let executedBy: String
    public let samplesNs: [Int]

    public init(step: String, executedBy: String, samplesNs: [Int]) {
        self.step = step
        self.executedBy = executedBy
        self.samplesNs = samplesNs
    }
}

/// One artefact on one device, as `benchmark/records/benchmark.py` has it (schema 4).
public struct BenchmarkRecord: Equatable, Sendable {
    public static let schemaVersion = 5

    public let artifact: ArtifactIdentity
    public let device: DeviceFacts
    public let runtime: RuntimeFacts
    public let settings: RunSettings
    public let status: RecordStatus
    /// Why it was not measured; nil where it was.
    public let reason: String?
    public let launches: [Launch]
    public let sustained: Launch?
    public let goldenCheck: GoldenCheck?
    public let preparation: Preparation?
    public let invalid: [Invalidity]
    public let toolVersion: String
    public let recordId: String
    public let createdAt: String

    /// A record of what was measured: failed where the outputs are another model's.
    ///
    /// - Parameters:
    ///   - launches: at least one.
    ///   - sustained: the launch of a long run, apart from `launches`.
    public static func measured(
        artifact: ArtifactIdentity, device: DeviceFacts, runtime: RuntimeFacts, settings: RunSettings,
        launches: [Launch], sustained: Launch? = nil, goldenCheck: GoldenCheck, preparation: Preparation?,
        toolVersion: String
    ) -> BenchmarkRecord {
        BenchmarkRecord(
            artifact: artifact, device: device, runtime: runtime, settings: settings,
            status: goldenCheck.fault == nil ? .measured : .failed, reason: goldenCheck.fault, launches: launches,
            sustained: sustained, goldenCheck: goldenCheck, preparation: preparation,
            invalid: Gates(logicalCores: device.logicalCores).judge(launches), toolVersion: toolVersion,
            recordId: UUID().uuidString.lowercased(), createdAt: Moments.utcText())
    }

    /// A record that says why nothing was measured.
    public static func failed(
        artifact: ArtifactIdentity, device: DeviceFacts, runtime: RuntimeFacts, settings: RunSettings,
        reason: String, toolVersion: String
    ) -> BenchmarkRecord {
        BenchmarkRecord(
            artifact: artifact, device: device, runtime: runtime, settings: settings, status: .failed, reason: reason,
            launches: [], sustained: nil, goldenCheck: nil, preparation: nil, invalid: [], toolVersion: toolVersion,
            recordId: UUID().uuidString.lowercased(), createdAt: Moments.utcText())
    }
}
