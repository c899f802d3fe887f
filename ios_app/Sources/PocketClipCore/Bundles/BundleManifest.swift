/// A bundle's manifest, field by field as docs/bundles.md has it (schemas 1 and 3).
public struct BundleManifest: Equatable, Sendable {
    /// The newest schema that this reader knows: that of bundles with variants for newer systems.
    public static let knownSchemaVersion = 3
    /// The schema of bundles without variants.
    static let plainSchemaVersion = 1
    /// The schema of bundles with variants for Snapdragon's NPU, which no iPhone runs.
    static let androidSchemaVersion = 2
    public static let fileName = "bundle.json"

    public let schemaVersion: Int
    public let createdAt: String
    public let generator: String
    public let model: ModelIdentity
    public let image: BundledTower
    public let text: BundledTower
    public let preprocess: PreprocessSpec
    public let tokenizer: TokenizerSpec
    public let templates: PromptTemplates
    public let labels: LabelSet?
    public let endToEnd: EndToEnd
    public let licences: [LicenceNote]
    public let files: [FileEntry]
    /// What runs in a tower's place on newer systems, the preferred ones first; none in schema 1.
    public let variants: [SystemVariant]

    /// Everything that can run: both towers, then their variants.
    public var models: [BundledTower] { [image, text] + variants.map(\.model) }

    /// Whether the weights are random ones, whose answers mean nothing: the licence note of the weights says so.
    public var isUntrained: Bool {
        licences.contains { $0.part == "model weights" && $0.source.hasPrefix("untrained") }
    }

    /// Every stored tensor.
    public var tensors: [StoredTensor] {
        var found: [StoredTensor?] = []
        for model in models {
            found += [model.golden.inputs, model.golden.reference, model.golden.outputs]
        }
        found += [tokenizer.merges, tokenizer.keptIds, labels?.embeddings]
        found += endToEnd.images.map(\.pixels)
        found += [endToEnd.preprocessed, endToEnd.imageEmbeddings, endToEnd.tokenIds, endToEnd.sentenceEmbeddings]
        return found.compactMap(\.self)
    }

    /// One hash over all files, the bundle's identity in reports and caches.
    public var sha256: String { FileEntry.hash(of: files) }

    public func tower(_ tower: Tower) -> BundledTower {
        tower == .image ? image : text
    }

    /// What runs in a tower's place on newer systems, the preferred ones first.
    public func variants(of tower: Tower) -> [SystemVariant] {
        variants.filter { $0.tower == tower }
    }
}

/// One of the two encoders.
public enum Tower: String, JSONWord {
    case image
    case text
}

/// The trained model behind both towers. `logitScale` is the factor on cosines before the softmax.
public struct ModelIdentity: Equatable, Sendable {
    public let name: String
    public let configSha256: String
    public let weightsSha256: String
    public let parameters: Int
    public let embeddingDim: Int
    public let logitScale: Double
}

/// A file of raw little-endian values in C order.
public struct StoredTensor: Equatable, Sendable {
    public let file: String
    public let shape: [Int]
    public let type: ElementType
}

/// An input or output of a model file: fixed shape of batch 1, layout (`NCHW`, `NHWC`, `NT`) and the range of values.
public struct TensorSpec: Equatable, Sendable {
    public let name: String
    public let shape: [Int]
    public let dtype: String
    public let layout: String
    public let minimum: Double
    public let maximum: Double
}

/// A file of the bundle: its path below the folder, size and hash.
public struct FileEntry: Equatable, Sendable {
    public let path: String
    public let sizeBytes: Int
    public let sha256: String

    public init(path: String, sizeBytes: Int, sha256: String) {
        self.path = path
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}

/// Least cosine and largest error of a component, between embeddings of length 1.
public struct Tolerance: Equatable, Sendable {
    public let cosineMin: Double
    public let maxAbs: Double
}

/// How far a self-test's outputs may be from the golden ones; a phone's are judged by `other` and `reference`.
public struct TowerTolerances: Equatable, Sendable {
    public let same: Tolerance
    public let other: Tolerance
    public let reference: Tolerance?
}

/// What computed the golden outputs.
public struct Execution: Equatable, Sendable {
    public let runtime: String
    public let machine: String
    public let features: [String]
}

/// How a tower compared with PyTorch when it was exported.
public struct ParitySummary: Equatable, Sendable {
    public let samples: Int
    public let cosineMean: Double
    public let cosineMin: Double
    public let top1Agreement: Double
    public let failures: [String]
}

/// Inputs as the tower's file takes them, PyTorch's outputs, and what the file gave when it was exported.
public struct TowerGolden: Equatable, Sendable {
    public let inputs: StoredTensor
    public let reference: StoredTensor
    public let outputs: StoredTensor
}

/// One tower: its model file or package folder, what runs it, what it takes and gives.
public struct BundledTower: Equatable, Sendable {
    public let target: String
    public let precision: String
    public let runtime: String
    public let requires: String?
    public let minimumIOS: Int?
    public let entryPoint: String
    public let input: TensorSpec
    public let output: TensorSpec
    public let normalized: Bool
    public let versions: [String: String]
    public let artifactSha256: String
    public let parity: ParitySummary?
    public let executedBy: Execution
    public let tolerances: TowerTolerances
    public let golden: TowerGolden
    /// Target and precision with what differs from the usual form, as in records.
    public let scheme: String

    /// The folder in the bundle that holds its files alone.
    var place: Substring { entryPoint.prefix { $0 != "/" } }

    /// The files of the model alone.
    public func modelFiles(of manifest: BundleManifest) -> [FileEntry] {
        manifest.files.filter { $0.path == entryPoint || $0.path.hasPrefix(entryPoint + "/") }
    }
}

/// What runs in a tower's place on systems that have another runtime: with each of its specialisations, the preferred ones
/// first, as long as it gives the right values.
public struct SystemVariant: Equatable, Sendable {
    public let tower: Tower
    public let model: BundledTower
    public let specializations: [Specialization]
}

/// How an image that is no square becomes one: its centre, or the whole of it squeezed.
public enum ResizeMode: String, JSONWord {
    case shortest
    case squash
}

/// The resampling filter, antialiased; `bicubic` has a = -0.5.
public enum Interpolation: String, JSONWord {
    case bilinear
    case bicubic
}

/// How pixels become the image tower's input.
public struct PreprocessSpec: Equatable, Sendable {
    public let imageSize: Int
    public let resizeMode: ResizeMode
    public let interpolation: Interpolation
    public let mean: [Double]
    public let std: [Double]

    public init(
        imageSize: Int, resizeMode: ResizeMode = .shortest, interpolation: Interpolation = .bilinear,
        mean: [Double] = [0, 0, 0], std: [Double] = [1, 1, 1]
    ) {
        self.imageSize = imageSize
        self.resizeMode = resizeMode
        self.interpolation = interpolation
        self.mean = mean
        self.std = std
    }
}

/// A step that text goes through before it is split.
public enum Cleaning: String, JSONWord {
    case ftfy
    case htmlUnescape = "html-unescape"
    case collapseWhitespace = "collapse-whitespace"
    case lower
}

/// Text that is one token of CLIP's vocabulary by itself.
public struct SpecialText: Equatable, Sendable {
    public let text: String
    public let id: Int

    public init(text: String, id: Int) {
        self.text = text
        self.id = id
    }
}

/// The CLIP byte-pair tokenizer as numbers; see docs/bundles.md.
public struct TokenizerSpec: Equatable, Sendable {
    public let contextLength: Int
    public let vocabularySize: Int
    public let startId: Int
    public let endId: Int
    public let padId: Int
    public let cleaning: [Cleaning]
    public let pattern: String
    public let specialTexts: [SpecialText]
    public let byteOrder: [Int]
    public let merges: StoredTensor
    public let keptIds: StoredTensor?
}

/// What happens to a filled template: nothing, or `a ` before one of `aeiou` becomes `an `.
public enum Articles: String, JSONWord {
    case asWritten = "as-written"
    case english
}

/// Sentences in which `{}` stands for a label.
public struct PromptTemplates: Equatable, Sendable {
    public let name: String
    public let texts: [String]
    public let articles: Articles

    public init(name: String, texts: [String], articles: Articles) {
        self.name = name
        self.texts = texts
        self.articles = articles
    }
}

/// Labels with their text embeddings (K, D), normalised.
public struct LabelSet: Equatable, Sendable {
    public let names: [String]
    public let embeddings: StoredTensor
}

/// The best labels of an image, the first one first.
public struct GoldenRanking: Equatable, Sendable {
    public let places: [Int]
    public let cosines: [Double]
    public let probabilities: [Double]
}

/// An image from packed 8-bit RGB (H, W, 3) to labels.
public struct GoldenImage: Equatable, Sendable {
    public let name: String
    public let pixels: StoredTensor
    public let ranking: GoldenRanking?
}

/// Golden data of the whole way.
public struct EndToEnd: Equatable, Sendable {
    public let images: [GoldenImage]
    public let preprocessed: StoredTensor
    public let imageEmbeddings: StoredTensor
    public let sentences: [String]
    public let tokenIds: StoredTensor
    public let sentenceEmbeddings: StoredTensor
    public let pixelTolerance: Double
}

/// What a part of the bundle may be used under.
public struct LicenceNote: Equatable, Sendable {
    public let part: String
    public let licence: String
    public let copyright: String?
    public let source: String
}
