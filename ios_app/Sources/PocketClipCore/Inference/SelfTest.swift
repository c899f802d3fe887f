import Foundation

/// Which side of its bound a value must be on.
public enum Limit: String, Sendable {
    case atLeast = "at least"
    case atMost = "at most"
}

/// One comparison of a self-test: `value` is the worst of `samples`, nil where nothing could be measured (see `note`).
public struct Check: Equatable, Sendable, Identifiable {
    public let part: String
    public let name: String
    public let samples: Int
    public let value: Double?
    public let limit: Limit
    public let bound: Double
    public let basis: String
    public let note: String?

    public var id: String { "\(part)/\(name)" }

    /// Whether the value was measured and is on the right side of its bound.
    public var passed: Bool {
        guard let value else { return false }
        return limit == .atLeast ? value >= bound : value <= bound
    }
}

/// What a self-test found.
public struct SelfTestReport: Equatable, Sendable {
    public let bundleSha256: String
    public let model: String
    public let checks: [Check]
    /// How each variant was tested with each of its specialisations; empty where the bundle has none.
    public let variants: [VariantRun]

    public var passed: Bool { checks.allSatisfy(\.passed) }
}

/// Runs preprocessing, tokenizer, both towers and label ranking on a bundle's golden data (docs/bundles.md, self-test), and
/// the variants with every specialisation that the bundle ships.
public struct SelfTest: Sendable {
    private static let labelsRepeated = 2

    private let bundle: ClipBundle
    private let runtimes: [any ModelRuntime]
    private let accelerator: Accelerator
    private let system: SystemVersion
    private var towers: TowerChecks { TowerChecks(bundle: bundle) }

    /// - Parameters:
    ///   - accelerator: what runs the towers; variants run with each of their specialisations.
    ///   - system: what the app runs on.
    public init(
        _ bundle: ClipBundle, runtimes: [any ModelRuntime], accelerator: Accelerator = .all,
        system: SystemVersion = .current
    ) {
        self.bundle = bundle
        self.runtimes = runtimes
        self.accelerator = accelerator
        self.system = system
    }

    /// - Throws: `ModelError` where a tower cannot be loaded at all, `BundleError` where data does not fit together.
    public func run() async throws -> SelfTestReport {
        let checks = try await imageChecks() + textChecks()
        let variants = try await VariantChecks(bundle: bundle, runtimes: runtimes, system: system).run()
        return SelfTestReport(
            bundleSha256: bundle.manifest.sha256, model: bundle.manifest.model.name,
            checks: checks + variants.flatMap(\.1), variants: variants.map(\.0))
    }

    private func imageChecks() async throws -> [Check] {
        let manifest = bundle.manifest
        let end = manifest.endToEnd
        let preprocessor = ImagePreprocessor(manifest)
        let inputs = try end.images.map { try preprocessor(bundle.image($0)) }
        let golden = try bundle.tensor(end.preprocessed).samples
        var checks = [
            Check(
                part: "image", name: "preprocessing, steps of 8 bits", samples: inputs.count,
                value: zip(inputs, golden).map(worstStep).max(), limit: .atMost, bound: end.pixelTolerance,
                basis: "the rounding of a resampling filter", note: nil)
        ]
        let session = try await TowerWay.plain(.image, manifest, accelerator).load(bundle, runtimes)
        checks += try await towers.own("image", manifest.image, session)
        let wanted = try towers.rows(end.imageEmbeddings)
        let embedded = await towers.embeddings(session, inputs)
        checks += towers.comparison(
            "image", "photographs", embedded, wanted, manifest.image.tolerances.other,
            TowerChecks.basis(manifest.image))
        if let labels = manifest.labels {
            let labelRows = try towers.rows(labels.embeddings)
            for (place, image) in end.images.enumerated() {
                if let ranking = image.ranking {
                    let own = (try? embedded.get())?[place]
                    checks.append(rankingCheck(image.name, ranking, own, wanted[place], labelRows))
                }
            }
        }
        return checks
    }

    private func textChecks() async throws -> [Check] {
        let manifest = bundle.manifest
        let end = manifest.endToEnd
        let tokenizer = try Tokenizer(bundle)
        let golden = try bundle.tensor(end.tokenIds).samples
        let wrong = zip(end.sentences, golden).filter { tokenizer($0) != $1 }
        var checks = [
            Check(
                part: "text", name: "sentences with other ids", samples: golden.count, value: Double(wrong.count),
                limit: .atMost, bound: 0, basis: "ids are exact", note: wrong.first.map { "first: \"\($0.0)\"" })
        ]
        let session = try await TowerWay.plain(.text, manifest, accelerator).load(bundle, runtimes)
        checks += try await towers.own("text", manifest.text, session)
        checks += towers.comparison(
            "text", "sentences", await towers.embeddings(session, golden), try towers.rows(end.sentenceEmbeddings),
            manifest.text.tolerances.other, TowerChecks.basis(manifest.text))
        if let labels = manifest.labels {
            let names = labels.names.prefix(Self.labelsRepeated)
            let prompts = names.map { manifest.templates.prompts(for: $0).map { tokenizer($0) } }
            checks += towers.comparison(
                "text", "label embeddings", await labelEmbeddings(session, prompts),
                Array(try towers.rows(labels.embeddings).prefix(names.count)), manifest.text.tolerances.other,
                TowerChecks.basis(manifest.text))
        }
        return checks
    }

    /// The mean over each label's prompts.
    private func labelEmbeddings(
        _ session: any ModelSession, _ prompts: [[Tensor]]
    ) async -> Result<[[Float]], any Error> {
        var means: [[Float]] = []
        for own in prompts {
            do {
                means.append(try ClipEngine.mean(of: try await towers.embeddings(session, own).get()))
            } catch {
                return .failure(error)
            }
        }
        return .success(means)
    }

    /// How far apart the golden cosines of labels are that stand in each other's places; 0 where the order is the same.
    private func rankingCheck(
        _ name: String, _ golden: GoldenRanking, _ own: [Float]?, _ wanted: [Float], _ labels: [[Float]]
    ) -> Check {
        // An embedding that moves by d changes each cosine by at most d.
        let bound = 2 * (2 * max(0, 1 - bundle.manifest.image.tolerances.other.cosineMin)).squareRoot()
        var value: Double?
        if let own {
            let places = Ranking.rank(image: own, labels: labels, logitScale: 1).prefix(golden.places.count).map(
                \.place)
            let cosines = labels.map { Vectors.dot(wanted, $0) }
            let gaps = [places, golden.places].flatMap { stand in
                zip(stand, golden.cosines).map { abs(cosines[$0] - $1) }
            }
            value = gaps.max()
        }
        return Check(
            part: "labels", name: "order for \(name)", samples: golden.places.count, value: value, limit: .atMost,
            bound: bound, basis: TowerChecks.basis(bundle.manifest.image),
            note: value == nil ? "there is no embedding to rank" : nil)
    }

    private func worstStep(_ found: Tensor, _ golden: Tensor) -> Double {
        let manifest = bundle.manifest
        let isBytes = manifest.image.input.dtype == ElementType.uint8.rawValue
        let area = manifest.preprocess.imageSize * manifest.preprocess.imageSize
        let isFirst = manifest.image.input.layout == "NCHW"
        return zip(found.floats, golden.floats).enumerated().map { place, pair in
            let channel = isFirst ? place / area : place % 3
            let step = isBytes ? 1 : 1 / (255 * manifest.preprocess.std[channel])
            return abs(Double(pair.0) - Double(pair.1)) / step
        }.max() ?? 0
    }
}

extension SelfTestReport: JSONWritable {
    public var json: JSONValue {
        .object([
            "bundle_sha256": bundleSha256.json, "model": model.json, "passed": passed.json, "checks": checks.json,
            "variants": variants.json,
        ])
    }
}

extension Check: JSONWritable {
    public var json: JSONValue {
        .object([
            "part": part.json, "name": name.json, "samples": samples.json, "value": value.json,
            "limit": limit.rawValue.json, "bound": bound.json, "basis": basis.json, "note": note.json,
            "passed": passed.json,
        ])
    }
}
