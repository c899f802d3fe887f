import Foundation
import PocketClipCore

/// A runtime of plain arithmetic: an embedding of three values that follows from every value of the input.
public struct FakeRuntime: ModelRuntime {
    /// What goes wrong.
    public enum Fault: Sendable {
        case none
        case load
        case inference
        case nonFinite
        /// Gives the embedding of something else.
        case otherModel
    }

    public let name: String
    public let version: String? = "fake 1"
    public let accelerators: [Accelerator]
    public let loadModes = [LoadMode.file]
    private let fault: Fault
    private let faults: [Accelerator: Fault]
    private let delay: Duration

    /// - Parameters:
    ///   - faults: what goes wrong with single accelerators, instead of `fault`.
    ///   - delay: what a load takes.
    public init(
        _ fault: Fault = .none, name: String = "coreml", accelerators: [Accelerator] = Accelerator.ofCoreML,
        faults: [Accelerator: Fault] = [:], delay: Duration = .zero
    ) {
        self.name = name
        self.fault = fault
        self.faults = faults
        self.accelerators = accelerators
        self.delay = delay
    }

    /// In the place of Core AI.
    public static func coreAI(_ faults: [Accelerator: Fault] = [:]) -> FakeRuntime {
        FakeRuntime(name: "coreai", accelerators: Specialization.allCases.map(\.accelerator), faults: faults)
    }

    public func prepare(_ request: LoadRequest) async throws {}

    public func load(_ request: LoadRequest) async throws -> sending any ModelSession {
        if delay > .zero {
            try await Task.sleep(for: delay)
        }
        let fault = faults[request.accelerator] ?? fault
        if fault == .load {
            throw PocketClipError.model(.load(path: request.model.lastPathComponent, reason: "it is no model"))
        }
        return FakeSession(fault: fault)
    }

    /// What the model gives for an input: (1, 3), not normalised.
    public static func output(for input: Tensor) -> Tensor {
        var sums: [Float] = [0.5, 0.25, 0.125]
        for (place, value) in input.floats.enumerated() {
            sums[place % 3] += value * Float(place % 7 + 1) / 64
        }
        return Tensor(shape: [1, 3], values: .float32(sums))
    }
}

private struct FakeSession: ModelSession {
    let fault: FakeRuntime.Fault

    func observedAccelerator() async -> String? { "fake" }

    func bind(_ input: Tensor) throws -> any BoundInput {
        FakeInput(input: input, fault: fault)
    }
}

private struct FakeInput: BoundInput {
    let input: Tensor
    let fault: FakeRuntime.Fault

    func run(isolation: isolated (any Actor)?) async throws -> Tensor {
        switch fault {
        case .inference: throw PocketClipError.model(.inference(reason: "out of luck"))
        case .nonFinite: Tensor(shape: [1, 3], values: .float32([1, .nan, 0]))
        case .otherModel: Tensor(shape: [1, 3], values: .float32([-1, 0.1, -0.2]))
        case .none, .load: FakeRuntime.output(for: input)
        }
    }
}

/// A machine that is as a test says.
public struct FakeMachine: Machine {
    public var platform = "iOS 18.1"
    public var appVersion: String? = "0.1.0"
    public var isDebugBuild = false
    public var facts = DeviceFacts(
        name: "iphone16,1", kind: .phone, os: "iOS 18.1", machine: "arm64", cpu: "Apple, in iPhone16,1",
        isa: ["asimd", "fp16"], logicalCores: 6, memoryBytes: 8 << 30)
    public var current = MachineState(thermalStatus: 0, batteryPercent: 80, charging: false, powerSaver: false)

    public init() {}

    public func state() async -> MachineState {
        var state = current
        state.at = Moments.utcText()
        return state
    }

    public func memory() -> ProcessMemory { ProcessMemory(resident: 1000, peak: 2000) }
    public func resetPeak() -> Bool { false }
    public func dropFileCache(of model: URL) -> Bool { false }
}
