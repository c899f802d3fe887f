import Foundation
import Observation
import PocketClipCore

/// Where the model behind all screens is.
///
///     absent -> opening -> ready
///                  \-> failed
public enum BundleState: Equatable, Sendable {
    /// The app has no bundle yet.
    case absent
    case opening(name: String)
    case ready(name: String)
    case failed(message: String)
}

/// How the self-test after installation went.
public enum SelfTestState: Equatable, Sendable {
    case notRun
    case running
    case finished(SelfTestReport)
    case failed(message: String)
}

/// Which bundle is used, and what it becomes: an engine that all screens share.
@MainActor
@Observable
public final class BundleModel {
    public private(set) var state: BundleState = .absent
    public private(set) var selfTest: SelfTestState = .notRun
    public private(set) var names: [String] = []
    public private(set) var engine: ClipEngine?
    /// Which way each tower runs, and which ways were refused; empty until variants were tried, or where there are none.
    public private(set) var choices: [TowerChoice] = []

    private let library: BundleLibrary
    private let runtimes: [any ModelRuntime]

    public init(library: BundleLibrary = BundleLibrary(), runtimes: [any ModelRuntime]) {
        self.library = library
        self.runtimes = runtimes
    }

    /// Looks for bundles, and opens the one of the last time where none is open.
    public func refresh() async {
        names = library.names()
        if engine == nil, let preferred = library.preferred() {
            await open(preferred)
        }
    }

    public func open(_ name: String) async {
        state = .opening(name: name)
        selfTest = .notRun
        choices = []
        engine = nil
        let (library, runtimes) = (library, runtimes)
        do {
            // Hashing takes a moment: not on the thread of the screens.
            engine = try await Task.detached { try ClipEngine(library.open(name), runtimes: runtimes) }.value
            library.remember(name)
            state = .ready(name: name)
        } catch {
            state = .failed(message: message(of: error))
        }
        await tryVariants()
    }

    /// Loads the towers that have variants: specialising takes long, and what was refused must be seen.
    private func tryVariants() async {
        guard let engine, !engine.bundle.manifest.variants.isEmpty else { return }
        for tower in Tower.allCases {
            // What fails here fails again where it is used, and is shown there.
            guard let choice = try? await engine.choice(tower), engine === self.engine else { return }
            choices.append(choice)
        }
    }

    /// Takes a bundle in that was picked in Files, and opens it.
    public func add(from url: URL) async {
        let library = library
        state = .opening(name: url.lastPathComponent)
        do {
            let name = try await Task.detached { try library.add(from: url) }.value
            names = library.names()
            await open(name)
        } catch {
            state = .failed(message: message(of: error))
        }
    }

    /// Compares every step with the bundle's golden data.
    public func runSelfTest() async {
        guard let engine, selfTest != .running else { return }
        selfTest = .running
        let runtimes = runtimes
        do {
            let report = try await Task.detached {
                try await SelfTest(engine.bundle, runtimes: runtimes).run()
            }.value
            selfTest = .finished(report)
        } catch {
            selfTest = .failed(message: message(of: error))
        }
    }
}

/// What went wrong, as screens show it.
func message(of error: any Error) -> String {
    (error as? PocketClipError)?.message ?? error.localizedDescription
}
