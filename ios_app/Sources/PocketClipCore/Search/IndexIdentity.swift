import Foundation

/// What makes the embeddings of photographs. Those that another image tower made may not be compared with them.
public struct EmbeddingOrigin: Equatable, Sendable {
    public let model: String
    public let weightsSha256: String
    /// Of the artefact that the image tower was taken from.
    public let imageSha256: String
    /// Values of an embedding.
    public let width: Int
    /// Where the image tower is, for people who look into an index.
    public let artifact: String

    public init(model: String, weightsSha256: String, imageSha256: String, width: Int, artifact: String) {
        self.model = model
        self.weightsSha256 = weightsSha256
        self.imageSha256 = imageSha256
        self.width = width
        self.artifact = artifact
    }
}

/// Whose embeddings an index has, and of which photographs: its `index.json`, as docs/gallery.md has it.
public struct IndexIdentity: Equatable, Sendable {
    static let schemaVersion = 1

    public let origin: EmbeddingOrigin
    /// The source of the photographs; in Python their folder.
    public let folder: String
    /// Which of the files are in use.
    public internal(set) var generation: Int

    /// - Throws: `DocumentError.misfit` where a value is not what an index may have.
    public init(origin: EmbeddingOrigin, folder: String, generation: Int = 0) throws {
        self.origin = origin
        self.folder = folder
        self.generation = generation
        try check(at: GalleryFolder.identityName)
    }

    /// Whether rows of both can be compared, and are of the same photographs.
    func fits(_ other: IndexIdentity) -> Bool {
        (origin.imageSha256, origin.width, folder) == (other.origin.imageSha256, other.origin.width, other.folder)
    }

    private func check(at place: String) throws {
        let isName = { SafePath.fault(of: $0) == nil && !$0.contains("/") && $0.utf8.count <= 100 }
        let hash = "64 hex digits in lower case"
        let texts: [(key: String, value: String, wanted: String, isFit: (String) -> Bool)] = [
            ("model", origin.model, "a plain name of at most 100 characters", isName),
            ("weights_sha256", origin.weightsSha256, hash, BundleRanges.isHash),
            ("image_sha256", origin.imageSha256, hash, BundleRanges.isHash),
            ("folder", folder, PhotoLine.idRange, PhotoLine.isId),
            ("artifact", origin.artifact, PhotoLine.idRange, PhotoLine.isId),
        ]
        for text in texts where !text.isFit(text.value) {
            throw misfit("\(place).\(text.key)", .string(text.value), text.wanted)
        }
        for (key, value, range) in [
            ("width", origin.width, 1...65_536), ("generation", generation, 0...(1 << 53 - 1)),
        ] where !range.contains(value) {
            throw misfit("\(place).\(key)", .integer(value), "\(range.lowerBound) to \(range.upperBound)")
        }
    }
}

extension IndexIdentity: JSONReadable, JSONWritable {
    private static let keys = [
        "schema_version", "model", "weights_sha256", "image_sha256", "width", "folder", "artifact", "generation",
    ]

    public init(json: JSONValue, at place: String) throws {
        // First, because another version may have other fields.
        if case .object(let fields) = json, case .integer(let version)? = fields["schema_version"],
            version != Self.schemaVersion
        {
            throw PocketClipError.storage(
                .damaged(path: place, reason: "its version is \(version), not \(Self.schemaVersion)"))
        }
        let fields = try JSONFields(json, at: place, known: Self.keys)
        let _: Int = try fields["schema_version"]
        origin = EmbeddingOrigin(
            model: try fields["model"], weightsSha256: try fields["weights_sha256"],
            imageSha256: try fields["image_sha256"], width: try fields["width"], artifact: try fields["artifact"])
        folder = try fields["folder"]
        generation = try fields.optional("generation") ?? 0
        try check(at: place)
    }

    public var json: JSONValue {
        .object([
            "schema_version": Self.schemaVersion.json, "model": origin.model.json,
            "weights_sha256": origin.weightsSha256.json, "image_sha256": origin.imageSha256.json,
            "width": origin.width.json, "folder": folder.json, "artifact": origin.artifact.json,
            "generation": generation.json,
        ])
    }
}
