/// How Core AI makes an asset ready for a device, as bundles name it. The same for `bench` is an `Accelerator`.
///
/// No call of Apple's tells where a function ran: a unit that is preferred may have had none of it.
public enum Specialization: String, JSONWord {
    /// The units of which Core AI expects the shortest latency.
    case standard = "default"
    /// As much as the graphics processor takes, the rest wherever it runs.
    case preferGPU = "prefer-gpu"
    /// As much as the Neural Engine takes. Assets that it cannot compile may fail to load, instead of running elsewhere.
    case preferNeuralEngine = "prefer-npu"
    /// The processor alone.
    case cpuOnly = "cpu-only"

    /// What an accelerator means to Core AI; nil for Core ML's pairs of units.
    public init?(_ accelerator: Accelerator) {
        guard let found = Self.allCases.first(where: { $0.accelerator == accelerator }) else { return nil }
        self = found
    }

    public var accelerator: Accelerator {
        switch self {
        case .standard: .all
        case .preferGPU: .gpu
        case .preferNeuralEngine: .neuralEngine
        case .cpuOnly: .cpu
        }
    }
}
