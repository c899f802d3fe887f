import Foundation

/// What shall execute a model. On an iPhone these are Core ML's compute units and Core AI's specialisations.
public enum Accelerator: String, JSONWord {
    /// Whatever the runtime chooses: processor, graphics processor, Neural Engine.
    case all
    case cpuAndNeuralEngine = "cpu+ane"
    case cpuAndGPU = "cpu+gpu"
    case cpu
    /// Core AI shall prefer the graphics processor.
    case gpu
    /// Core AI shall prefer the Neural Engine.
    case neuralEngine = "npu"

    /// Those that Core ML has.
    public static let ofCoreML: [Accelerator] = [.all, .cpuAndNeuralEngine, .cpuAndGPU, .cpu]
}

/// How the runtime gets the model.
public enum LoadMode: String, JSONWord {
    /// The runtime opens it by its path, and may map it into memory.
    case file
    case mmap
    case memory
}

/// Which model is loaded, and how.
public struct LoadRequest: Equatable, Sendable {
    /// The model file or package folder.
    public let model: URL
    /// A hash over its files, by which what was made of it is found again.
    public let modelSha256: String
    public let accelerator: Accelerator
    public let loadMode: LoadMode

    public init(model: URL, modelSha256: String, accelerator: Accelerator = .all, loadMode: LoadMode = .file) {
        self.model = model
        self.modelSha256 = modelSha256
        self.accelerator = accelerator
        self.loadMode = loadMode
    }
}

/// A library that executes model files.
///
/// The way of a model: `prepare` once after it was installed (Core ML compiles packages, Core AI specialises assets), `load`,
/// `bind` each input,
/// then `BoundInput.run` as often as wanted. Each is timed apart.
public protocol ModelRuntime: Sendable {
    /// As bundles and jobs name it, e.g. `coreml`.
    var name: String { get }
    /// Name and version in words; nil where the library does not tell.
    var version: String? { get }
    var accelerators: [Accelerator] { get }
    var loadModes: [LoadMode] { get }

    /// Makes what loading needs and keeps it; does nothing where that was done before.
    ///
    /// - Throws: `ModelError`.
    func prepare(_ request: LoadRequest) async throws

    /// Whether the next load is the first since the model or the app was installed, which may take the system far longer
    /// than those after it; nil where the runtime does not know.
    func isFirstLoad(_ request: LoadRequest) -> Bool?

    /// Opens a model that was prepared.
    ///
    /// - Throws: `ModelError`.
    func load(_ request: LoadRequest) async throws -> sending any ModelSession

    /// - Throws: `ModelError` where a request asks for what this runtime or device does not have.
    func check(_ request: LoadRequest) throws
}

/// A loaded model with one input and one output. Used by one task at a time.
public protocol ModelSession {
    /// What the runtime says will execute the model, in words; nil where it does not say.
    func observedAccelerator() async -> String?

    /// Brings an input of batch 1 into the form that the runtime takes, so that an inference need not.
    ///
    /// - Throws: `ModelError.shape` where the input does not fit.
    func bind(_ input: Tensor) throws -> any BoundInput
}

/// An input that is ready to be run.
public protocol BoundInput {
    /// One inference: the first output, float32.
    ///
    /// It stays where its caller is: a session may be used by one task at a time, and must not be sent to another.
    /// Core AI answers asynchronously; a runtime that does not suspends nowhere.
    ///
    /// - Throws: `ModelError.inference`.
    func run(isolation: isolated (any Actor)?) async throws -> Tensor
}

extension BoundInput {
    /// One inference, where the caller is.
    public func run(_ isolation: isolated (any Actor)? = #isolation) async throws -> Tensor {
        try await run(isolation: isolation)
    }
}

extension ModelRuntime {
    public func isFirstLoad(_ request: LoadRequest) -> Bool? { nil }

    public func check(_ request: LoadRequest) throws {
        guard accelerators.contains(request.accelerator) else {
            throw PocketClipError.model(
                .accelerator(asked: request.accelerator.rawValue, available: accelerators.map(\.rawValue)))
        }
        guard loadModes.contains(request.loadMode) else {
            throw PocketClipError.model(
                .accelerator(asked: request.loadMode.rawValue, available: loadModes.map(\.rawValue)))
        }
    }
}

extension ModelSession {
    /// The model's embedding of one input, of length 1 (D).
    ///
    /// - Throws: `ModelError` where it fails, or gives NaN, infinity or zeros.
    public func embed(_ input: Tensor, isolation: isolated (any Actor)? = #isolation) async throws -> [Float] {
        let output = try await bind(input).run(isolation: isolation)
        guard output.isFinite else { throw PocketClipError.model(.nonFinite(output: 0, sample: nil)) }
        // Towers that give raw embeddings leave this to the host; for all others it changes nothing but rounding.
        guard let embedding = Vectors.normalized(output.floats) else {
            throw PocketClipError.model(.inference(reason: "the embedding is all zeros"))
        }
        return embedding
    }
}
