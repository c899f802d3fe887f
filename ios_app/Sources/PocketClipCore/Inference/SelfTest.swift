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

    public var passed: Bool { checks.allSatisfy(\.passed) }
}

/// Runs preprocessing, tokenizer, both towers and label ranking on a bundle's golden data (docs/bundles.md, self-test).
///
/// A phone is never what computed the golden outputs: `tolerances.other` holds for them, `reference` for PyTorch's.
public struct SelfTest: Sendable {
    private static let labelsRepeated = 2

    private let bundle: ClipBundle
    private let runtimes: [any ModelRuntime]
    private let accelerator: Accelerator

    public init(_ bundle: ClipBundle, runtimes: [any ModelRuntime], accelerator: Accelerator = .all) {
        self.bundle = bundle
        self.runtimes = runtimes
        self.accelerator = accelerator
    }

    /// - Throws: `ModelError` where a tower cannot be loaded at all, `BundleError` where data does not fit together.
    public func run() async throws -> SelfTestReport {
        let checks = try await imageChecks() + textChecks()
        return SelfTestReport(
            bundleSha256: bundle.manifest.sha256, model: bundle.manifest.model.name, checks: checks)
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
        let session = try await open(manifest.image)
        checks += try towerChecks("image", manifest.image, session)
        let wanted = try rows(end.imageEmbeddings)
        let embedded = embeddings(session, inputs)
        checks += embeddingChecks(
            "image", "photographs", embedded, wanted, manifest.image.tolerances.other, basis(manifest.image))
        if let labels = manifest.labels {
            let labelRows = try rows(labels.embeddings)
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
        let session = try await open(manifest.text)
        checks += try towerChecks("text", manifest.text, session)
        checks += embeddingChecks(
            "text", "sentences", embeddings(session, golden), try rows(end.sentenceEmbeddings),
            manifest.text.tolerances.other, basis(manifest.text))
        if let labels = manifest.labels {
            let names = labels.names.prefix(Self.labelsRepeated)
            let repeated = Result {
                try names.map { label in
                    try ClipEngine.mean(
                        of: manifest.templates.prompts(for: label).map { try session.embed(tokenizer($0)) })
                }
            }
            checks += embeddingChecks(
                "text", "label embeddings", repeated, Array(try rows(labels.embeddings).prefix(names.count)),
                manifest.text.tolerances.other, basis(manifest.text))
        }
        return checks
    }

    private func open(_ tower: BundledTower) async throws -> any ModelSession {
        guard let runtime = runtimes.first(where: { $0.name == tower.runtime }) else {
            throw PocketClipError.bundle(.runtime(name: tower.runtime, available: runtimes.map(\.name)))
        }
        let request = LoadRequest(
            model: bundle.modelURL(tower), modelSha256: FileEntry.hash(of: tower.modelFiles(of: bundle.manifest)),
            accelerator: accelerator)
        try runtime.check(request)
        try await runtime.prepare(request)
        return try await runtime.load(request)
    }

    private func towerChecks(_ part: String, _ tower: BundledTower, _ session: any ModelSession) throws -> [Check] {
        let found = embeddings(session, try bundle.tensor(tower.golden.inputs).samples)
        var checks = embeddingChecks(
            part, "golden outputs", found, try unitRows(tower.golden.outputs), tower.tolerances.other, basis(tower))
        if let tolerance = tower.tolerances.reference {
            checks += embeddingChecks(
                part, "PyTorch's outputs", found, try unitRows(tower.golden.reference), tolerance,
                "budget of \(tower.precision)")
        }
        return checks
    }

    private func embeddings(_ session: any ModelSession, _ inputs: [Tensor]) -> Result<[[Float]], any Error> {
        Result { try inputs.map { try session.embed($0) } }
    }

    private func embeddingChecks(
        _ part: String, _ name: String, _ found: Result<[[Float]], any Error>, _ wanted: [[Float]],
        _ tolerance: Tolerance, _ basis: String
    ) -> [Check] {
        var cosine: Double?
        var error: Double?
        var note: String?
        switch found {
        case .success(let rows) where rows.map(\.count) == wanted.map(\.count):
            cosine = zip(rows, wanted).map { Vectors.cosine($0, $1) }.min()
            error = zip(rows, wanted).flatMap { zip($0, $1).map { abs(Double($0) - Double($1)) } }.max()
        case .success(let rows):
            note =
                "there are \(rows.count) of \(rows.first?.count ?? 0) values, not \(wanted.count) of \(wanted.first?.count ?? 0)"
        case .failure(let failure):
            note = (failure as? PocketClipError)?.message ?? "\(failure)"
        }
        return [
            Check(
                part: part, name: "\(name): cosine", samples: wanted.count, value: cosine, limit: .atLeast,
                bound: tolerance.cosineMin, basis: basis, note: note),
            Check(
                part: part, name: "\(name): error", samples: wanted.count, value: error, limit: .atMost,
                bound: tolerance.maxAbs, basis: basis, note: note),
        ]
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
            bound: bound, basis: basis(bundle.manifest.image),
            note: value == nil ? "there is no embedding to rank" : nil)
    }

    private func basis(_ tower: BundledTower) -> String {
        "other runtime or processor: twice the budget of \(tower.precision)"
    }

    private func rows(_ stored: StoredTensor) throws -> [[Float]] {
        try bundle.tensor(stored).samples.map(\.floats)
    }

    private func unitRows(_ stored: StoredTensor) throws -> [[Float]] {
        try rows(stored).map { Vectors.normalized($0) ?? $0 }
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
        .object(["bundle_sha256": bundleSha256.json, "model": model.json, "passed": passed.json, "checks": checks.json])
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
