import Foundation

/// Why a way to run a tower is not taken.
public struct RefusedWay: Equatable, Sendable {
    public let way: TowerWay
    /// In words for people.
    public let reason: String
}

/// Which way a tower runs, and which ways before it were refused.
public struct TowerChoice: Equatable, Sendable {
    public let way: TowerWay
    public let refused: [RefusedWay]
}

/// What tries a bundle's variants on a device and takes the first that runs right.
public struct TowerOpener: Sendable {
    public static var standardNotes: LoadNotes {
        LoadNotes(folder: AppFolders.caches.appendingPathComponent("Trials", isDirectory: true))
    }

    private let bundle: ClipBundle
    private let runtimes: [any ModelRuntime]
    private let system: SystemVersion
    private let notes: LoadNotes

    /// - Parameters:
    ///   - runtimes: what the app has.
    ///   - system: what the app runs on.
    ///   - notes: keeps which trials have begun.
    public init(
        _ bundle: ClipBundle, runtimes: [any ModelRuntime], system: SystemVersion = .current,
        notes: LoadNotes = TowerOpener.standardNotes
    ) {
        self.bundle = bundle
        self.runtimes = runtimes
        self.system = system
        self.notes = notes
    }

    /// Opens a tower: the first of its variants that this system has and whose golden inputs give its golden outputs here,
    /// else the tower itself.
    ///
    /// Where an accelerator is asked for, the tower itself runs on it, and nothing else is tried.
    ///
    /// - Throws: `BundleError`, `ModelError` where the tower itself cannot be loaded; `CancellationError`.
    public func open(
        _ tower: Tower, _ accelerator: Accelerator? = nil
    ) async throws -> sending (TowerChoice, any ModelSession) {
        var refused: [RefusedWay] = []
        if accelerator == nil {
            for way in TowerWay.ofVariants(tower, bundle.manifest) {
                do {
                    let session = try await trial(way)
                    return (TowerChoice(way: way, refused: refused), session)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    refused.append(RefusedWay(way: way, reason: (error as? PocketClipError)?.message ?? "\(error)"))
                }
            }
        }
        let plain = TowerWay.plain(tower, bundle.manifest, accelerator ?? .all)
        let session = try await plain.load(bundle, runtimes)
        return (TowerChoice(way: plain, refused: refused), session)
    }

    /// Loads a variant and proves it.
    ///
    /// - Throws: `Refusal` where it gives wrong values, `ModelError` where it cannot be loaded; `CancellationError`.
    private func trial(_ way: TowerWay) async throws -> sending any ModelSession {
        if let fault = Self.fault(of: way, on: system) {
            throw Refusal(description: fault)
        }
        let runtime = try way.runtime(among: runtimes)
        let request = way.request(in: bundle)
        try runtime.check(request)
        // What Apple's frameworks meet in a model may end the app, and would again at every start. Once may have been
        // somebody who closed it.
        guard !notes.has(.tryingAgain, request) else {
            throw Refusal(description: "the app ended twice while it was tried")
        }
        // Specialising takes long and happens outside of the app.
        try await runtime.prepare(request)
        notes.set(notes.has(.trying, request) ? .tryingAgain : .trying, request)
        defer {
            notes.remove(.trying, request)
            notes.remove(.tryingAgain, request)
        }
        let session = try await runtime.load(request)
        let checks = try await TowerChecks(bundle: bundle).own(way.tower.rawValue, way.model, session)
        if let wrong = checks.first(where: { !$0.passed }) {
            throw Refusal(description: "its values are wrong on this device (\(wrong.worded))")
        }
        return session
    }

    /// Why a system is none that a model runs on, in words; nil where it is one.
    static func fault(of way: TowerWay, on system: SystemVersion) -> String? {
        // Anything but Apple's systems only stands in for one.
        guard system.name != "Linux", let minimum = way.model.minimumIOS, system.major < minimum else { return nil }
        return "it needs iOS \(minimum), this is \(system.worded)"
    }
}

/// Why a variant is not taken that can be loaded.
private struct Refusal: Error, CustomStringConvertible {
    let description: String
}

extension Check {
    /// What was found and what was wanted, e.g. `golden outputs: cosine 0.31, at least 0.99 wanted`.
    public var worded: String {
        guard let value else { return "\(name): \(note ?? "nothing was measured")" }
        return "\(name) \(value), \(limit.rawValue) \(bound) wanted"
    }
}
