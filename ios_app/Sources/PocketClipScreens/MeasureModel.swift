import Foundation
import Observation
import PocketClipCore

/// A row of the Measure screen's table: what one tower took.
public struct MeasuredRow: Equatable, Sendable, Identifiable {
    public let way: TowerWay
    public let latency: LatencySummary
    /// Time to compile the package or to specialise the asset; next to nothing where that was done before.
    public let preparationNs: Int
    /// Whether the load was the first after installation; nil where the runtime does not know.
    public let isFirstLoad: Bool?
    /// The first load of this launch.
    public let loadNs: Int
    /// A load from the system's caches.
    public let cachedLoadNs: Int?
    public let firstInferenceNs: Int
    public let peakBytes: Int?
    public let thermalStatus: Int?
    public let acceleratorObserved: String?
    /// Why it may not be ranked; empty where it may.
    public let invalid: [Invalidity]
    public let record: BenchmarkRecord

    public var tower: Tower { way.tower }
    public var accelerator: Accelerator { way.accelerator }
    public var id: String { "\(tower.rawValue)-\(way.model.target)-\(accelerator.rawValue)" }
}

/// How far a measurement is.
///
///     idle -> running -> finished
///                |  \-> failed
///                \-> idle (cancelled)
public enum MeasureState: Equatable, Sendable {
    case idle
    case running(step: String, done: Int, total: Int)
    case finished
    case failed(message: String)
}

/// Measures the bundle's towers here, and makes records that `pocketclip results import` takes.
@MainActor
@Observable
public final class MeasureModel {
    public private(set) var state: MeasureState = .idle
    public private(set) var rows: [MeasuredRow] = []
    public private(set) var failures: [String] = []
    public var towers: Set<Tower> = [.image, .text]
    public var accelerators: Set<Accelerator> = [.all]
    public var settings = RunSettings()

    /// Whether a measurement goes on: a phone that goes to sleep would stop it.
    public var isBusy: Bool {
        if case .running = state { true } else { false }
    }

    private let bundle: ClipBundle
    private let runtimes: [any ModelRuntime]
    private let machine: any Machine
    private var task: Task<Void, Never>?

    public init(bundle: ClipBundle, runtimes: [any ModelRuntime], machine: any Machine) {
        self.bundle = bundle
        self.runtimes = runtimes
        self.machine = machine
    }

    /// What may be asked for, by what the runtimes have.
    public var available: [Accelerator] {
        Accelerator.allCases.filter { wanted in runtimes.contains { $0.accelerators.contains(wanted) } }
    }

    public func start() {
        guard task == nil else { return }
        rows = []
        failures = []
        let chosen = Tower.allCases.filter(towers.contains).flatMap { ways($0) }
        guard !chosen.isEmpty else {
            state = .failed(message: "nothing is chosen; choose a tower and where it shall run")
            return
        }
        task = Task { [weak self] in
            await self?.measure(chosen)
            self?.task = nil
        }
    }

    public func cancel() {
        task?.cancel()
    }

    /// Waits until the measurement has ended, by whatever way.
    public func finish() async {
        await task?.value
    }

    /// All records in one JSON list, for `pocketclip results import`.
    ///
    /// - Returns: the file that holds them, in a temporary folder.
    public func exportRecords() throws -> URL {
        let name = "pocketclip-\(machine.facts.name.replacingOccurrences(of: ",", with: "-")).json"
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try AtomicFile.write(rows.map(\.record).json.text(indented: true), to: url)
        return url
    }

    /// The ways to run a tower that were chosen: its variants first, each model on what its runtime has.
    private func ways(_ tower: Tower) -> [TowerWay] {
        let variants = TowerWay.ofVariants(tower, bundle.manifest)
        let plain = available.map { TowerWay.plain(tower, bundle.manifest, $0) }
        return (variants + plain).filter { way in
            let offered = runtimes.first { $0.name == way.model.runtime }?.accelerators ?? []
            return accelerators.contains(way.accelerator) && offered.contains(way.accelerator)
        }
    }

    private func measure(_ chosen: [TowerWay]) async {
        let tower = TowerMeasurement(bundle: bundle, runtimes: runtimes, machine: machine)
        for (done, way) in chosen.enumerated() {
            let name = "\(way.tower.rawValue) tower, \(way.model.target) on \(way.accelerator.rawValue)"
            state = .running(step: name, done: done, total: chosen.count)
            var own = settings
            own.accelerator = way.accelerator
            do {
                rows.append(try await tower.run(way, own))
            } catch is CancellationError {
                state = .idle
                return
            } catch {
                failures.append("\(name): \(message(of: error))")
            }
        }
        state = rows.isEmpty ? .failed(message: failures.joined(separator: "\n")) : .finished
    }
}
