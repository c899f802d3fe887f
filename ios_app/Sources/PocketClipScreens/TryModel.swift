import Foundation
import Observation
import PocketClipCore

/// What the Try screen shows.
///
///     empty -> working -> result
///                  \-> failed
public enum TryState: Equatable, Sendable {
    /// There is no image, or there are no labels.
    case empty
    case working
    case result(Classification)
    case failed(message: String)
}

/// Ranks labels for one image, or for the camera's images as they come.
@MainActor
@Observable
public final class TryModel {
    public private(set) var state: TryState = .empty
    /// Classifications a second, over the last ones of the camera; nil where the camera does not run.
    public private(set) var liveRate: Double?
    public private(set) var isLive = false
    public private(set) var labels: [String]
    /// What was typed, by lines or commas.
    public var labelText: String {
        didSet { labelsChanged() }
    }
    /// Why the typed labels cannot be used; nil where they can.
    public private(set) var labelFault: String?

    /// The camera's images that are looked at in a second, at most: enough to follow a hand, and cool enough to go on.
    public static let imagesPerSecond = 5
    private static let intervalNs = 1_000_000_000 / imagesPerSecond
    private static let rateWindow = 10

    private let engine: any ClipEncoding
    private let clockNs: @MainActor () -> Int
    private var image: PackedImage?
    private var frameTimes: [Int] = []
    private var dueNs = 0
    private var isBusy = false
    private var generation = 0

    /// - Parameter clockNs: a clock that does not jump.
    public init(engine: any ClipEncoding, clockNs: @escaping @MainActor () -> Int = Moments.monotonicNanoseconds) {
        self.engine = engine
        self.clockNs = clockNs
        labels = engine.storedLabels
        labelText = engine.storedLabels.joined(separator: ", ")
    }

    /// Ranks the labels for a picked image; the latest one counts.
    public func choose(_ image: PackedImage) async {
        isLive = false
        liveRate = nil
        self.image = image
        await classify()
    }

    /// Ranks again, after labels have changed; the camera's next image has the new ones by itself.
    public func classify() async {
        guard !isLive else { return }
        guard let image, !labels.isEmpty else {
            state = .empty
            return
        }
        generation += 1
        let own = generation
        state = .working
        do {
            let found = try await engine.classify(image, labels: labels)
            if own == generation {
                state = .result(found)
            }
        } catch is CancellationError {
            // Whoever cancelled it begins anew.
        } catch {
            if own == generation {
                state = .failed(message: message(of: error))
            }
        }
    }

    /// Goes back to the labels that the bundle brings.
    public func useStoredLabels() {
        labelText = engine.storedLabels.joined(separator: ", ")
    }

    /// Shows why no image came.
    public func show(failure: any Error) {
        generation += 1
        state = .failed(message: message(of: failure))
    }

    public func startLive() {
        generation += 1
        isLive = true
        image = nil
        state = .empty
        frameTimes = []
        dueNs = 0
        liveRate = nil
    }

    /// Stops at the camera's last image, which stays with what was found in it; nil where none was looked at yet.
    public func takePicture() -> PackedImage? {
        stopLive()
        return image
    }

    public func stopLive() {
        isLive = false
        liveRate = nil
    }

    /// One image of the camera: dropped where it comes too soon, or the one before is still being worked on.
    public func frame(_ image: PackedImage) async {
        let nowNs = clockNs()
        guard isLive, !isBusy, !labels.isEmpty, nowNs >= dueNs else { return }
        // From when it was due, so that the rate holds in the mean; from now where it is late by more than one image.
        dueNs = (nowNs - dueNs < Self.intervalNs ? dueNs : nowNs) + Self.intervalNs
        isBusy = true
        defer { isBusy = false }
        do {
            let found = try await engine.classify(image, labels: labels)
            guard isLive else { return }
            self.image = image
            state = .result(found)
            frameTimes = (frameTimes + [clockNs()]).suffix(Self.rateWindow)
            if let first = frameTimes.first, let last = frameTimes.last, last > first {
                liveRate = Double(frameTimes.count - 1) * 1e9 / Double(last - first)
            }
        } catch {
            stopLive()
            state = .failed(message: message(of: error))
        }
    }

    private func labelsChanged() {
        do {
            labels = try LabelList.parse(labelText)
            labelFault = nil
        } catch {
            labels = []
            labelFault = message(of: error)
        }
    }
}
