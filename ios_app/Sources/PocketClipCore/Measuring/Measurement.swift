import Foundation

/// What shall be measured in one launch.
public struct MeasurementRequest: Sendable {
    public let load: LoadRequest
    /// Real inputs of batch 1, taken in turn.
    public let samples: [Tensor]
    public let warmup: WarmupRule
    public let iterations: Int
    public let minimumSeconds: Double
    public let sustainedSeconds: Double?

    public init(
        load: LoadRequest, samples: [Tensor], warmup: WarmupRule = WarmupRule(), iterations: Int = 100,
        minimumSeconds: Double = 0, sustainedSeconds: Double? = nil
    ) {
        self.load = load
        self.samples = samples
        self.warmup = warmup
        self.iterations = iterations
        self.minimumSeconds = minimumSeconds
        self.sustainedSeconds = sustainedSeconds
    }
}

/// What a launch found: its times, and the first output for each sample.
public struct MeasuredLaunch: Sendable {
    public let launch: Launch
    public let outputs: [Tensor]
    public let runtimeVersion: String?
    public let acceleratorObserved: String?
}

/// One measurement: preparation, load, first inference, warm-up, steady state, second load, each timed apart.
///
/// It follows `benchmark/agent/measurement.py`: every inference gets a real input, every output is checked to be finite
/// outside the timed section, no sample is dropped.
public struct Measurement: Sendable {
    /// A block of steady inferences, after which the machine's state is taken, is at least this share of them and this
    /// long.
    private static let blockShare = 10
    private static let blockNs = 500_000_000
    private static let minuteNs = 60_000_000_000

    private let runtime: any ModelRuntime
    private let machine: any Machine
    private let progress: @Sendable (String) -> Void

    public init(
        runtime: any ModelRuntime, machine: any Machine, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.runtime = runtime
        self.machine = machine
        self.progress = progress
    }

    /// - Throws: `ModelError`; `CancellationError` where the task was cancelled.
    public func run(_ request: MeasurementRequest) async throws -> MeasuredLaunch {
        guard !request.samples.isEmpty else {
            throw PocketClipError.job(JobFailure(.badJob, "a measurement needs at least one sample; give inputs"))
        }
        try runtime.check(request.load)
        let wall = Moments.wallNanoseconds()
        let monotonic = Moments.monotonicNanoseconds()
        var launch = Launch()
        launch.before = await machine.state()
        launch.loadAverage = launch.before?.loadAverage
        (_, launch.importNs) = try await timed { try await runtime.prepare(request.load) }

        launch.peakReset = machine.resetPeak()
        let baseline = machine.memory()
        launch.baselineBytes = baseline.resident
        launch.peakBeforeLoadBytes = baseline.peak
        launch.fileCacheDropped = machine.dropFileCache(of: request.load.model)
        launch.firstLoad = runtime.isFirstLoad(request.load)
        let loading = Moments.monotonicNanoseconds()
        let session = try await runtime.load(request.load)
        launch.loadNs = Moments.monotonicNanoseconds() - loading
        launch.loadedBytes = machine.memory().resident

        var inference = InferenceLoop(try request.samples.map { try session.bind($0) })
        launch.firstInferenceNs = try await inference.next()
        progress("loaded; warming up")
        (launch.warmupNs, launch.warmupStationary) = try await inference.warmUp(request.warmup)
        progress("measuring")
        try await steady(&inference, request, &launch)
        launch.after = await machine.state()
        try await sustain(&inference, request.sustainedSeconds, &launch)

        let end = machine.memory()
        launch.peakBytes = end.peak
        launch.endBytes = end.resident
        launch.proportionalBytes = end.proportional
        launch.fileMappedBytes = end.fileMapped
        let outputs = try await inference.finishRound()
        let observed = await session.observedAccelerator()
        // Only now: a second copy of the model must not count as memory of the first.
        let reloading = Moments.monotonicNanoseconds()
        _ = try await runtime.load(request.load)
        launch.reloadNs = Moments.monotonicNanoseconds() - reloading
        launch.clockJumpNs =
            (Moments.wallNanoseconds() - wall) - (Moments.monotonicNanoseconds() - monotonic)
        return MeasuredLaunch(
            launch: launch, outputs: outputs, runtimeVersion: runtime.version, acceleratorObserved: observed)
    }

    private func steady(
        _ inference: inout InferenceLoop, _ request: MeasurementRequest, _ launch: inout Launch
    ) async throws {
        let share = max(1, request.iterations / Self.blockShare)
        let minimumNs = Int(request.minimumSeconds * 1e9)
        var spent = 0
        while launch.steadyNs.count < request.iterations || spent < minimumNs {
            var block: [Int] = []
            var blockSpent = 0
            while block.count < share || blockSpent < Self.blockNs,
                launch.steadyNs.count + block.count < request.iterations || spent + blockSpent < minimumNs
            {
                block.append(try await inference.next())
                blockSpent += block[block.count - 1]
            }
            launch.steadyNs += block
            spent += blockSpent
            launch.during.append(await machine.state())
        }
    }

    private func sustain(
        _ inference: inout InferenceLoop, _ seconds: Double?, _ launch: inout Launch
    ) async throws {
        guard let seconds, seconds > 0 else { return }
        let ends = Moments.monotonicNanoseconds() + Int(seconds * 1e9)
        while Moments.monotonicNanoseconds() < ends {
            let minuteEnds = min(ends, Moments.monotonicNanoseconds() + Self.minuteNs)
            var taken: [Int] = []
            while taken.isEmpty || Moments.monotonicNanoseconds() < minuteEnds {
                taken.append(try await inference.next())
            }
            launch.minutes.append(Minute(steadyNs: taken, after: await machine.state()))
            progress("sustained: minute \(launch.minutes.count)")
        }
    }

    private func timed<Value>(_ action: () async throws -> Value) async rethrows -> (Value, Int) {
        let started = Moments.monotonicNanoseconds()
        let value = try await action()
        return (value, Moments.monotonicNanoseconds() - started)
    }
}

/// Runs the samples in turn.
///
/// A run is timed without a change of executors: neither this nor `Measurement` belongs to an actor, so that `run` stays on
/// the executor that all of them share, and so does Core AI's own function, which belongs to none either. What is left
/// is the wait for the answer, which an app has, too. A synchronous runtime suspends nowhere.
struct InferenceLoop {
    private let inputs: [any BoundInput]
    private var outputs: [Tensor?]
    private var place = 0

    init(_ inputs: [any BoundInput]) {
        self.inputs = inputs
        outputs = [Tensor?](repeating: nil, count: inputs.count)
    }

    /// One inference; the nanoseconds that it took.
    mutating func next() async throws -> Int {
        try Task.checkCancellation()
        let input = inputs[place]
        let started = Moments.monotonicNanoseconds()
        let output = try await input.run()
        let elapsed = Moments.monotonicNanoseconds() - started
        guard output.isFinite else { throw PocketClipError.model(.nonFinite(output: 0, sample: place)) }
        outputs[place] = output
        place = (place + 1) % inputs.count
        return elapsed
    }

    /// Infers until the medians of successive windows agree; the samples, and whether they did.
    mutating func warmUp(_ rule: WarmupRule) async throws -> ([Int], Bool) {
        var taken: [Int] = []
        var medians: [Double] = []
        var spent = 0
        while taken.count < rule.maximumIterations, Double(spent) < rule.maximumSeconds * 1e9 {
            var window: [Int] = []
            for _ in 0..<rule.windowIterations {
                window.append(try await next())
            }
            taken += window
            spent += window.reduce(0, +)
            medians.append(Statistics.median(window.map(Double.init)))
            let latest = medians.suffix(rule.stableWindows)
            if taken.count >= rule.minimumIterations, latest.count == rule.stableWindows,
                let highest = latest.max(), let lowest = latest.min(), highest <= lowest * (1 + rule.tolerance)
            {
                return (taken, true)
            }
        }
        return (taken, false)
    }

    /// Runs, untimed, the samples that no inference has met yet; all outputs.
    mutating func finishRound() async throws -> [Tensor] {
        for index in inputs.indices where outputs[index] == nil {
            place = index
            _ = try await next()
        }
        return outputs.compactMap(\.self)
    }
}
