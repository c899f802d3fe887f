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

    private static let rateWindow = 10

    private let engine: any ClipEncoding
    private var image: PackedImage?
    private var frameTimes: [Int] = []
    private var isBusy = false
    private var generation = 0

    public init(engine: any ClipEncoding) {
        self.engine = engine
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

    /// Ranks again, after labels have changed.
    public func classify() async {
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
        } catch {
            if own == generation {
                state = .failed(message: message(of: error))
            }
        }
    }

    /// Shows why no image came.
    public func show(failure: any Error) {
        generation += 1
        state = .failed(message: message(of: failure))
    }

    public func startLive() {
        isLive = true
        frameTimes = []
        liveRate = nil
    }

    public func stopLive() {
        isLive = false
        liveRate = nil
    }

    /// One image of the camera: dropped where the one before is still being worked on.
    public func frame(_ image: PackedImage) async {
        guard isLive, !isBusy, !labels.isEmpty else { return }
        isBusy = true
        defer { isBusy = false }
        do {
            let found = try await engine.classify(image, labels: labels)
            guard isLive else { return }
            self.image = image
            state = .result(found)
            frameTimes = (frameTimes + [Moments.monotonicNanoseconds()]).suffix(Self.rateWindow)
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
