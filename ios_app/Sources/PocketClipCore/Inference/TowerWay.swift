import Foundation

/// A way to run a tower: a model of the bundle, and what its runtime shall run it on.
public struct TowerWay: Equatable, Sendable {
    public let tower: Tower
    public let model: BundledTower
    public let accelerator: Accelerator
    /// How a variant is specialised; nil for the tower itself.
    public let specialization: Specialization?

    /// The ways to run a tower that its variants give, the preferred ones first.
    public static func ofVariants(_ tower: Tower, _ manifest: BundleManifest) -> [TowerWay] {
        manifest.variants(of: tower).flatMap { variant in
            variant.specializations.map {
                TowerWay(tower: tower, model: variant.model, accelerator: $0.accelerator, specialization: $0)
            }
        }
    }

    /// The tower itself, which runs on every system.
    public static func plain(_ tower: Tower, _ manifest: BundleManifest, _ accelerator: Accelerator) -> TowerWay {
        TowerWay(tower: tower, model: manifest.tower(tower), accelerator: accelerator, specialization: nil)
    }

    /// E.g. `coreai fp16, prefer-gpu`.
    public var name: String {
        "\(model.target) \(model.precision), \(specialization?.rawValue ?? accelerator.rawValue)"
    }

    public func request(in bundle: ClipBundle) -> LoadRequest {
        LoadRequest(
            model: bundle.modelURL(model), modelSha256: FileEntry.hash(of: model.modelFiles(of: bundle.manifest)),
            accelerator: accelerator)
    }

    /// The runtime that its model names.
    ///
    /// - Throws: `BundleError.runtime` where none of `runtimes` is it.
    public func runtime(among runtimes: [any ModelRuntime]) throws -> any ModelRuntime {
        guard let runtime = runtimes.first(where: { $0.name == model.runtime }) else {
            throw PocketClipError.bundle(.runtime(name: model.runtime, available: runtimes.map(\.name)))
        }
        return runtime
    }

    /// Loads the model, and makes first what loading needs.
    ///
    /// - Throws: `BundleError.runtime`, `ModelError`.
    func load(_ bundle: ClipBundle, _ runtimes: [any ModelRuntime]) async throws -> sending any ModelSession {
        let runtime = try runtime(among: runtimes)
        let request = request(in: bundle)
        try runtime.check(request)
        try await runtime.prepare(request)
        return try await runtime.load(request)
    }
}
