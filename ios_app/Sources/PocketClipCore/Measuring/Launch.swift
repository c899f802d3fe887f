/// When a model is warm: `stableWindows` successive windows have medians within `tolerance`.
public struct WarmupRule: Equatable, Sendable {
    public let windowIterations: Int
    public let stableWindows: Int
    public let tolerance: Double
    public let minimumIterations: Int
    public let maximumIterations: Int
    public let maximumSeconds: Double

    public init(
        windowIterations: Int = 5, stableWindows: Int = 3, tolerance: Double = 0.05, minimumIterations: Int = 15,
        maximumIterations: Int = 200, maximumSeconds: Double = 20
    ) {
        self.windowIterations = windowIterations
        self.stableWindows = stableWindows
        self.tolerance = tolerance
        self.minimumIterations = minimumIterations
        self.maximumIterations = maximumIterations
        self.maximumSeconds = maximumSeconds
    }
}

/// One minute of a sustained run: its samples, and the machine at its end.
public struct Minute: Equatable, Sendable {
    public let steadyNs: [Int]
    public let after: MachineState

    public init(steadyNs: [Int], after: MachineState) {
        self.steadyNs = steadyNs
        self.after = after
    }
}

/// What one launch took, in the order in which it happened; `benchmark/records/launch.py` words each field.
///
/// On Apple's systems `importNs` is the time to compile the package: next to nothing once that is done. Where
/// `firstLoad` is true, `loadNs` is the first load after installation, in which the system makes the model ready for the
/// Neural Engine; else, and always in `reloadNs`, it is a load from the system's caches.
public struct Launch: Equatable, Sendable {
    public var startedAt = Moments.utcText()
    public var loadAverage: Double?
    public var importNs = 0
    public var loadNs = 0
    public var firstLoad: Bool?
    public var firstInferenceNs = 0
    public var warmupNs: [Int] = []
    public var warmupStationary = false
    public var steadyNs: [Int] = []
    public var baselineBytes: Int?
    public var loadedBytes: Int?
    public var peakBeforeLoadBytes: Int?
    public var peakBytes: Int?
    public var endBytes: Int?
    public var peakReset = false
    public var fileCacheDropped = false
    public var reloadNs: Int?
    public var proportionalBytes: Int?
    public var fileMappedBytes: Int?
    public var before: MachineState?
    public var after: MachineState?
    public var othersBusyCores: Double?
    public var stolenShare: Double?
    public var energyJoules: Double?
    public var clockJumpNs: Int?
    public var minutes: [Minute] = []
    public var during: [MachineState] = []

    public init() {}

    /// Memory that the model cost at most; nil where the system cannot tell it from earlier peaks.
    public var peakOverBaselineBytes: Int? {
        guard let baselineBytes, let peakBytes else { return nil }
        if !peakReset, peakBytes == peakBeforeLoadBytes {
            return nil
        }
        return max(0, peakBytes - baselineBytes)
    }
}

extension WarmupRule: JSONReadable, JSONWritable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "window_iterations", "stable_windows", "tolerance", "minimum_iterations", "maximum_iterations",
                "maximum_seconds",
            ])
        let standard = WarmupRule()
        windowIterations = try fields.optional("window_iterations") ?? standard.windowIterations
        stableWindows = try fields.optional("stable_windows") ?? standard.stableWindows
        tolerance = try fields.optional("tolerance") ?? standard.tolerance
        minimumIterations = try fields.optional("minimum_iterations") ?? standard.minimumIterations
        maximumIterations = try fields.optional("maximum_iterations") ?? standard.maximumIterations
        maximumSeconds = try fields.optional("maximum_seconds") ?? standard.maximumSeconds
        guard windowIterations >= 1, stableWindows >= 1, maximumIterations >= 1, minimumIterations >= 0, tolerance >= 0,
            maximumSeconds >= 0
        else {
            throw misfit(place, json, "a rule of positive windows and iterations, and no negative number")
        }
    }

    public var json: JSONValue {
        .object([
            "window_iterations": windowIterations.json, "stable_windows": stableWindows.json,
            "tolerance": tolerance.json, "minimum_iterations": minimumIterations.json,
            "maximum_iterations": maximumIterations.json, "maximum_seconds": maximumSeconds.json,
        ])
    }
}

extension Minute: JSONWritable {
    public var json: JSONValue { .object(["steady_ns": steadyNs.json, "after": after.json]) }
}

extension Launch: JSONWritable {
    public var json: JSONValue {
        .object([
            "started_at": startedAt.json, "load_average": loadAverage.json, "import_ns": importNs.json,
            "load_ns": loadNs.json, "first_load": firstLoad.json, "first_inference_ns": firstInferenceNs.json,
            "warmup_ns": warmupNs.json, "warmup_stationary": warmupStationary.json, "steady_ns": steadyNs.json,
            "baseline_bytes": baselineBytes.json, "loaded_bytes": loadedBytes.json,
            "peak_before_load_bytes": peakBeforeLoadBytes.json, "peak_bytes": peakBytes.json,
            "end_bytes": endBytes.json, "peak_reset": peakReset.json, "file_cache_dropped": fileCacheDropped.json,
            "reload_ns": reloadNs.json, "proportional_bytes": proportionalBytes.json,
            "file_mapped_bytes": fileMappedBytes.json, "before": before.json, "after": after.json,
            "others_busy_cores": othersBusyCores.json, "stolen_share": stolenShare.json,
            "energy_joules": energyJoules.json, "clock_jump_ns": clockJumpNs.json, "minutes": minutes.json,
            "during": during.json,
        ])
    }
}
