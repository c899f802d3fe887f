import Foundation
import PocketClipCore

/// Writes a small, sound bundle for `FakeRuntime`, free to be damaged: images of 4 x 4, embeddings of 3 values.
public struct BundleBuilder {
    public static let labels = ["a red dot", "a blue line", "an owl"]
    private static let size = 4

    public let folder: URL
    private var files: [String: Data] = [:]
    /// `bundle.json` but its `files`.
    public var manifest: [String: JSONValue] = [:]

    /// - Parameter goldens: the shared golden files, whose tokenizer the bundle has.
    public init(in parent: URL, goldens: URL) throws {
        folder = parent.appendingPathComponent("clip.bundle", isDirectory: true)
        var tokenizer = try Self.object(goldens.appendingPathComponent("tokenizer_full.json"))
        files["tokenizer/merges.bin"] = try Data(contentsOf: goldens.appendingPathComponent("tokenizer/merges.bin"))
        for name in ["image", "text"] {
            files["\(name)/model.mlpackage/Manifest.json"] = Data("{}".utf8)
            files["\(name)/model.mlpackage/Data/weights.bin"] = Data("weights of \(name)".utf8)
        }
        tokenizer["kept_ids"] = .null
        manifest = [
            "schema_version": 1, "created_at": "2026-03-01T10:00:00+00:00", "generator": "pocketclip 0.1.0",
            "model": [
                "name": "fake", "config_sha256": .string(Self.sha), "weights_sha256": .string(Self.sha),
                "parameters": 3, "embedding_dim": 3, "logit_scale": 10,
            ],
            "preprocess": [
                "image_size": 4, "resize_mode": "shortest", "interpolation": "bilinear", "mean": [0, 0, 0],
                "std": [1, 1, 1],
            ],
            "tokenizer": .object(tokenizer),
            "templates": ["name": "two", "texts": ["a photo of {}", "{}"], "articles": "as-written"],
            "licences": [],
        ]
        let ids = try Tokenizer(
            TokenizerSpec(json: .object(tokenizer), at: "tokenizer"),
            merges: Tensor(
                shape: [48_894, 2], type: .uint16, littleEndian: files["tokenizer/merges.bin"] ?? Data())!,
            keptIds: nil)
        try addTowers(ids)
    }

    /// Writes all files and the manifest.
    public func write() throws {
        for (path, content) in files {
            try AtomicFile.write(content, to: folder.appendingPathComponent(path))
        }
        var whole = manifest
        whole["files"] = .array(
            files.sorted { $0.key < $1.key }.map { path, content in
                [
                    "path": .string(path), "size_bytes": .integer(content.count),
                    "sha256": .string(SHA256Digest.hex(of: content)),
                ]
            })
        try writeManifest(.object(whole))
    }

    public func writeManifest(_ json: JSONValue) throws {
        try AtomicFile.write(json.text(), to: folder.appendingPathComponent(BundleManifest.fileName))
    }

    /// The manifest as it was written.
    public func readManifest() throws -> [String: JSONValue] {
        try Self.object(folder.appendingPathComponent(BundleManifest.fileName))
    }

    /// Adds or replaces a file before `write`.
    public mutating func set(_ path: String, _ content: Data) {
        files[path] = content
    }

    /// Gives both towers a variant for Core AI, with these specialisations.
    public mutating func addVariants(_ specializations: [Specialization] = [.standard, .preferGPU]) {
        manifest["schema_version"] = .integer(BundleManifest.knownSchemaVersion)
        manifest["variants"] = .array(
            ["image", "text"].map { name in
                files["\(name)-coreai/model.aimodel/main.mlirb"] = Data("asset of \(name)".utf8)
                guard case .object(var variant)? = manifest[name] else { return .null }
                variant["tower"] = .string(name)
                variant["target"] = "coreai"
                variant["runtime"] = "coreai"
                variant["requires"] = "iOS 27"
                variant["minimum_ios"] = 27
                variant["entry_point"] = .string("\(name)-coreai/model.aimodel")
                variant["scheme"] = "coreai-fp16"
                variant["specializations"] = .array(specializations.map { .string($0.rawValue) })
                return .object(variant)
            })
    }

    private static let sha = String(repeating: "0", count: 64)

    private mutating func addTowers(_ tokenizer: Tokenizer) throws {
        let size = Self.size
        let area = size * size
        let pixels = [0, 91].map { (start: Int) -> [UInt8] in
            (0..<area * 3).map { (place: Int) -> UInt8 in UInt8((place * 37 + start) % 256) }
        }
        let inputs = pixels.map { (image: [UInt8]) -> Tensor in
            var planes: [Float] = []
            for channel in 0..<3 {
                for place in 0..<area {
                    planes.append(Float(image[place * 3 + channel]) / 255)
                }
            }
            return Tensor(shape: [1, 3, size, size], values: .float32(planes))
        }
        let sentences = ["a photo of a cat", "two owls", ""]
        let ids = sentences.map { tokenizer($0) }
        let labelRows = Self.labels.map { (label: String) -> [Float] in
            let first = Self.unit(FakeRuntime.output(for: tokenizer("a photo of \(label)")).floats)
            let second = Self.unit(FakeRuntime.output(for: tokenizer(label)).floats)
            return Self.unit(zip(first, second).map { (a: Float, b: Float) -> Float in (a + b) / 2 })
        }
        let images = inputs.map { Self.unit(FakeRuntime.output(for: $0).floats) }
        manifest["image"] = tower("image", inputs, layout: "NCHW", dtype: "float32", [1, 3, size, size])
        manifest["text"] = tower("text", ids, layout: "NT", dtype: "int32", [1, 77])
        manifest["labels"] = [
            "names": .array(Self.labels.map { .string($0) }),
            "embeddings": tensor("labels.bin", Self.stack(labelRows)),
        ]
        let golden = pixels.indices.map { place -> JSONValue in
            let ranked = Ranking.rank(image: images[place], labels: labelRows, logitScale: 10)
            return [
                "name": .string("image \(place)"),
                "pixels": tensor("pixels-\(place).bin", Tensor(shape: [size, size, 3], values: .uint8(pixels[place]))),
                "ranking": [
                    "places": .array(ranked.map { .integer($0.place) }),
                    "cosines": .array(ranked.map { .number($0.cosine) }),
                    "probabilities": .array(ranked.map { .number($0.probability) }),
                ],
            ]
        }
        manifest["end_to_end"] = [
            "images": .array(golden), "preprocessed": tensor("preprocessed.bin", Self.stack(inputs)),
            "image_embeddings": tensor("image-embeddings.bin", Self.stack(images)),
            "sentences": .array(sentences.map { .string($0) }), "token_ids": tensor("ids.bin", Self.stack(ids)),
            "sentence_embeddings": tensor(
                "sentence-embeddings.bin", Self.stack(ids.map { Self.unit(FakeRuntime.output(for: $0).floats) })),
            "pixel_tolerance": 1,
        ]
    }

    private mutating func tower(
        _ name: String, _ inputs: [Tensor], layout: String, dtype: String, _ shape: [Int]
    ) -> JSONValue {
        let outputs = Self.stack(inputs.map { FakeRuntime.output(for: $0).floats })
        let tolerance: JSONValue = ["cosine_min": 0.999, "max_abs": 0.01]
        return [
            "target": "coreml", "precision": "fp16", "runtime": "coreml", "requires": "iOS 16", "minimum_ios": 16,
            "entry_point": .string("\(name)/model.mlpackage"),
            "input": [
                "name": .string(name), "shape": .array(shape.map { .integer($0) }), "dtype": .string(dtype),
                "layout": .string(layout), "minimum": 0, "maximum": dtype == "int32" ? 49_407 : 1,
            ],
            "output": [
                "name": "embedding", "shape": [1, 3], "dtype": "float32", "layout": "ND", "minimum": -1, "maximum": 1,
            ],
            "normalized": false, "versions": ["coremltools": "9"], "artifact_sha256": .string(Self.sha),
            "parity": .null,
            "executed_by": ["runtime": "fake", "machine": "x86_64", "features": []],
            "tolerances": ["same": tolerance, "other": tolerance, "reference": tolerance],
            "golden": [
                "inputs": tensor("golden/\(name)_inputs.bin", Self.stack(inputs)),
                "reference": tensor("golden/\(name)_reference.bin", outputs),
                "outputs": tensor("golden/\(name)_outputs.bin", outputs),
            ],
        ]
    }

    private mutating func tensor(_ file: String, _ values: Tensor) -> JSONValue {
        files[file] = values.littleEndian
        return [
            "file": .string(file), "shape": .array(values.shape.map { .integer($0) }),
            "dtype": .string(values.type.rawValue),
        ]
    }

    private static func unit(_ values: [Float]) -> [Float] {
        Vectors.normalized(values) ?? values
    }

    private static func stack(_ rows: [[Float]]) -> Tensor {
        Tensor(shape: [rows.count, rows[0].count], values: .float32(rows.flatMap(\.self)))
    }

    private static func stack(_ samples: [Tensor]) -> Tensor {
        let content = samples.reduce(into: Data()) { $0.append($1.littleEndian) }
        return Tensor(
            shape: [samples.count] + samples[0].shape.dropFirst(), type: samples[0].type, littleEndian: content)!
    }

    private static func object(_ url: URL) throws -> [String: JSONValue] {
        guard case .object(let fields) = try JSONValue(parsing: Data(contentsOf: url), source: url.lastPathComponent)
        else { return [:] }
        return fields
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

/// A folder that is empty, and removed when this goes away.
public final class TemporaryFolder {
    public let url: URL

    public init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("pocketclip-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }
}
