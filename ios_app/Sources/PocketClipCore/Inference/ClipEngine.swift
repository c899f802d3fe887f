import Foundation

/// A normalised embedding and what it took.
public struct Embedding: Equatable, Sendable {
    /// Of length 1 (D).
    public let values: [Float]
    /// Resizing or tokenising.
    public let preparationNs: Int
    /// The tower alone.
    public let inferenceNs: Int

    public init(values: [Float], preparationNs: Int, inferenceNs: Int) {
        self.values = values
        self.preparationNs = preparationNs
        self.inferenceNs = inferenceNs
    }
}

/// A label with its cosine and probability.
public struct Guess: Equatable, Sendable, Identifiable {
    public let label: String
    public let cosine: Double
    public let probability: Double

    public var id: String { label }

    public init(label: String, cosine: Double, probability: Double) {
        self.label = label
        self.cosine = cosine
        self.probability = probability
    }
}

/// What an image shows, the likeliest first, and what that took.
public struct Classification: Equatable, Sendable {
    public let guesses: [Guess]
    public let image: Embedding
    /// The median text tower's time of the labels that had to be embedded; nil where all were known.
    public let textInferenceNs: Int?

    public init(guesses: [Guess], image: Embedding, textInferenceNs: Int?) {
        self.guesses = guesses
        self.image = image
        self.textInferenceNs = textInferenceNs
    }
}

/// Embeds images and sentences; what screens are written against.
public protocol ClipEncoding: Sendable {
    /// What makes the embeddings of images: those of another may not be compared with them.
    var origin: EmbeddingOrigin { get }
    var logitScale: Double { get }
    /// Labels that come with the model.
    var storedLabels: [String] { get }

    func embed(image: PackedImage) async throws -> Embedding
    func embed(sentence: String) async throws -> Embedding
    func classify(_ image: PackedImage, labels: [String]) async throws -> Classification
}

/// A bundle's two towers, each loaded when it is first needed; embeddings of labels are kept.
///
/// Where the bundle has variants for this system, the first that gives the right values here runs in a tower's place; see
/// `TowerOpener`. Labels come from the text tower or a variant of it: both are within their budgets of one model.
public actor ClipEngine: ClipEncoding {
    public nonisolated let bundle: ClipBundle
    private let opener: TowerOpener
    private let accelerator: Accelerator?
    private let clock = ContinuousClock()
    private let tokenizer: Tokenizer
    private var sessions: [Tower: any ModelSession] = [:]
    private var choices: [Tower: TowerChoice] = [:]
    private var opening: [Tower: Task<Void, any Error>] = [:]
    private var known: [String: [Float]]

    /// - Parameters:
    ///   - accelerator: what runs the towers themselves; nil takes what the bundle prefers and runs right here.
    ///   - opener: of the bundle's towers; by default one for this system.
    ///
    /// - Throws: `BundleError` where the bundle's data does not fit, or a tower's runtime is not among `runtimes`;
    ///   `ModelError` where this system lacks it.
    public init(
        _ bundle: ClipBundle, runtimes: [any ModelRuntime], accelerator: Accelerator? = nil,
        opener: TowerOpener? = nil
    ) throws {
        self.bundle = bundle
        self.accelerator = accelerator
        self.opener = opener ?? TowerOpener(bundle, runtimes: runtimes)
        for tower in Tower.allCases {
            let way = TowerWay.plain(tower, bundle.manifest, accelerator ?? .all)
            try way.runtime(among: runtimes).check(way.request(in: bundle))
        }
        tokenizer = try Tokenizer(bundle)
        known = [:]
        if let labels = bundle.manifest.labels {
            let rows = try bundle.tensor(labels.embeddings).samples.map(\.floats)
            known = Dictionary(zip(labels.names, rows)) { first, _ in first }
        }
    }

    /// Tells apart engines of different bundles.
    public nonisolated var identity: String { bundle.manifest.sha256 }

    public nonisolated var origin: EmbeddingOrigin {
        let (model, image) = (bundle.manifest.model, bundle.manifest.image)
        return EmbeddingOrigin(
            model: model.name, weightsSha256: model.weightsSha256, imageSha256: image.artifactSha256,
            width: model.embeddingDim, artifact: "\(bundle.folder.lastPathComponent)/\(image.entryPoint)")
    }

    public nonisolated var logitScale: Double { bundle.manifest.model.logitScale }
    public nonisolated var storedLabels: [String] { bundle.manifest.labels?.names ?? [] }

    public func embed(image: PackedImage) async throws -> Embedding {
        // What runs decides what it takes.
        let model = try await choice(.image).way.model
        let preprocessor = ImagePreprocessor(bundle.manifest.preprocess, input: model.input)
        var input: Tensor?
        let preparation = try clock.measure { input = try preprocessor(image) }
        return try await embed(input!, .image, preparation)
    }

    /// Which way a tower runs here; it is loaded first where that was not done before.
    ///
    /// - Throws: as `embed`.
    public func choice(_ tower: Tower) async throws -> TowerChoice {
        try await load(tower)
        guard let choice = choices[tower] else { throw Self.unloaded(tower) }
        return choice
    }

    /// Embeds a sentence as it is.
    public func embed(sentence: String) async throws -> Embedding {
        var input: Tensor?
        let preparation = clock.measure { input = tokenizer(sentence) }
        return try await embed(input!, .text, preparation)
    }

    /// Ranks labels for an upright image.
    ///
    /// - Throws: `LabelError.none` without labels, `ModelError` where a tower fails.
    public func classify(_ image: PackedImage, labels: [String]) async throws -> Classification {
        guard !labels.isEmpty else { throw PocketClipError.labels(.none) }
        var taken: [Int] = []
        for label in labels where known[label] == nil {
            taken += try await embed(label: label)
        }
        let embedded = try await embed(image: image)
        let ranked = Ranking.rank(
            image: embedded.values, labels: labels.compactMap { known[$0] }, logitScale: logitScale)
        let guesses = ranked.map {
            Guess(label: labels[$0.place], cosine: $0.cosine, probability: $0.probability)
        }
        return Classification(
            guesses: guesses, image: embedded, textInferenceNs: taken.isEmpty ? nil : taken.sorted()[taken.count / 2])
    }

    /// Frees both towers; they are loaded again when they are needed.
    public func unload() {
        sessions = [:]
        choices = [:]
    }

    /// The normalised mean over a label's prompts, kept; returns the text tower's times.
    private func embed(label: String) async throws -> [Int] {
        var rows: [[Float]] = []
        var taken: [Int] = []
        for prompt in bundle.manifest.templates.prompts(for: label) {
            try Task.checkCancellation()
            let embedded = try await embed(sentence: prompt)
            rows.append(embedded.values)
            taken.append(embedded.inferenceNs)
        }
        known[label] = try Self.mean(of: rows)
        return taken
    }

    static func mean(of rows: [[Float]]) throws -> [Float] {
        var sums = [Double](repeating: 0, count: rows.first?.count ?? 0)
        for row in rows {
            for (place, value) in row.enumerated() {
                sums[place] += Double(value)
            }
        }
        guard let mean = Vectors.normalized(sums.map { Float($0 / Double(rows.count)) }) else {
            throw PocketClipError.model(.inference(reason: "a label's prompts cancel each other out"))
        }
        return mean
    }

    private func embed(_ input: Tensor, _ tower: Tower, _ preparation: Duration) async throws -> Embedding {
        try await load(tower)
        guard let session = sessions[tower] else { throw Self.unloaded(tower) }
        let started = clock.now
        let values = try await session.embed(input)
        return Embedding(
            values: values, preparationNs: preparation.wholeNanoseconds,
            inferenceNs: started.duration(to: clock.now).wholeNanoseconds)
    }

    private func load(_ tower: Tower) async throws {
        guard sessions[tower] == nil else { return }
        // Others come while it opens: a second trial beside the first would look like one after an app that ended.
        let task = opening[tower] ?? Task { try await open(tower) }
        opening[tower] = task
        try await task.value
    }

    private func open(_ tower: Tower) async throws {
        defer { opening[tower] = nil }
        let (choice, session) = try await opener.open(tower, accelerator)
        sessions[tower] = session
        choices[tower] = choice
    }

    private static func unloaded(_ tower: Tower) -> PocketClipError {
        .model(.inference(reason: "the \(tower.rawValue) tower was unloaded meanwhile"))
    }
}

extension Duration {
    /// In whole nanoseconds.
    public var wholeNanoseconds: Int {
        Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }
}
