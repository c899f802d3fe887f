/// How a variant was tested with one specialisation. `notRun` says why it was not; then there are no checks of it.
public struct VariantRun: Equatable, Sendable {
    public let tower: Tower
    public let target: String
    public let precision: String
    public let specialization: Specialization
    /// The runtime with its version.
    public let runtime: String?
    public let notRun: String?

    /// E.g. `image coreai prefer-gpu`, as in the parts of its checks.
    public var name: String { "\(tower.rawValue) \(target) \(specialization.rawValue)" }
}

/// A self-test of a bundle's variants, each with every specialisation that the bundle ships.
struct VariantChecks: Sendable {
    let bundle: ClipBundle
    let runtimes: [any ModelRuntime]
    let system: SystemVersion

    func run() async throws -> [(VariantRun, [Check])] {
        var found: [(VariantRun, [Check])] = []
        for way in Tower.allCases.flatMap({ TowerWay.ofVariants($0, bundle.manifest) }) {
            found.append(try await run(way))
        }
        return found
    }

    private func run(_ way: TowerWay) async throws -> (VariantRun, [Check]) {
        let runtime = runtimes.first { $0.name == way.model.runtime }
        func tested(_ notRun: String?) -> VariantRun {
            VariantRun(
                tower: way.tower, target: way.model.target, precision: way.model.precision,
                specialization: way.specialization ?? .standard, runtime: runtime?.version, notRun: notRun)
        }
        if let fault = TowerOpener.fault(of: way, on: system) {
            return (tested(fault), [])
        }
        let session: any ModelSession
        do {
            session = try await way.load(bundle, runtimes)
        } catch let error as PocketClipError {
            return (tested(error.message), [])
        }
        return (tested(nil), try await checks(way, session))
    }

    /// What it gives for its own golden data, and for that of the whole way, which the tower itself made.
    private func checks(_ way: TowerWay, _ session: any ModelSession) async throws -> [Check] {
        let end = bundle.manifest.endToEnd
        let towers = TowerChecks(bundle: bundle)
        let part = "\(way.tower.rawValue) \(way.model.target) \(way.specialization?.rawValue ?? "")"
        let own = try await towers.own(part, way.model, session)
        let name: String
        let inputs: [Tensor]
        let wanted: [[Float]]
        switch way.tower {
        case .image:
            let preprocessor = ImagePreprocessor(bundle.manifest.preprocess, input: way.model.input)
            inputs = try end.images.map { try preprocessor(bundle.image($0)) }
            (name, wanted) = ("photographs", try towers.rows(end.imageEmbeddings))
        case .text:
            inputs = try bundle.tensor(end.tokenIds).samples
            (name, wanted) = ("sentences", try towers.rows(end.sentenceEmbeddings))
        }
        return own
            + towers.comparison(
                part, name, await towers.embeddings(session, inputs), wanted, wider(way),
                "another precision: twice the wider budget")
    }

    /// Both are within twice their own budget's angle of each other, so within twice the wider one's.
    private func wider(_ way: TowerWay) -> Tolerance {
        let (one, other) = (way.model.tolerances.other, bundle.manifest.tower(way.tower).tolerances.other)
        return Tolerance(
            cosineMin: min(one.cosineMin, other.cosineMin), maxAbs: max(one.maxAbs, other.maxAbs))
    }
}

extension VariantRun: JSONWritable {
    public var json: JSONValue {
        .object([
            "tower": tower.json, "target": target.json, "precision": precision.json,
            "specialization": specialization.json, "runtime": runtime.json, "not_run": notRun.json,
        ])
    }
}
