import Foundation

/// A bundle on disk that passed every check of docs/bundles.md, steps 1 to 5.
public struct ClipBundle: Sendable {
    public let folder: URL
    public let manifest: BundleManifest

    /// Reads a bundle and checks all of it before anything is used: schema, paths, links, sizes, hashes, tensors, parts.
    ///
    /// - Throws: `BundleError`, or `DocumentError` where the manifest has another form.
    public init(opening folder: URL) throws {
        let path = folder.appendingPathComponent(BundleManifest.fileName)
        guard !SafePath.isLink(path) else { throw PocketClipError.bundle(.link(path: BundleManifest.fileName)) }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path.path)
        guard let attributes, attributes[.type] as? FileAttributeType == .typeRegular,
            let size = attributes[.size] as? Int
        else {
            throw PocketClipError.bundle(.absent(folder: folder.lastPathComponent))
        }
        guard size <= BundleRanges.mostManifestBytes else {
            throw PocketClipError.bundle(
                .unfit(reason: "\(BundleManifest.fileName) has \(size) bytes, more than any manifest"))
        }
        guard let content = try? Data(contentsOf: path) else {
            throw PocketClipError.bundle(.absent(folder: folder.lastPathComponent))
        }
        let json = try JSONValue(parsing: content, source: BundleManifest.fileName)
        try Self.checkVersion(json)
        manifest = try BundleManifest(json: json, at: BundleManifest.fileName)
        self.folder = folder
        try BundleRanges.check(manifest)
        try ListedFiles.check(manifest.files, in: folder)
        try ListedFiles.checkNothingElse(manifest.files, besides: [BundleManifest.fileName], in: folder)
        try checkListed()
        try BundleParts.check(manifest)
        for tensor in manifest.tensors {
            _ = try self.tensor(tensor)
        }
        // Its ids and its pattern may be wrong as well.
        _ = try Tokenizer(self)
    }

    /// The values of a stored tensor.
    ///
    /// - Throws: `BundleError.tensor` where the size is another one or a value is not finite.
    public func tensor(_ stored: StoredTensor) throws -> Tensor {
        let content: Data
        do {
            content = try Data(contentsOf: SafePath.resolve(stored.file, in: folder))
        } catch let error as PocketClipError {
            throw error
        } catch {
            throw PocketClipError.bundle(.missing(path: stored.file))
        }
        guard Tensor.elementCount(stored.shape) != nil else {
            throw PocketClipError.bundle(
                .tensor(file: stored.file, reason: "has the shape \(stored.shape); every side must be at least 1"))
        }
        guard let tensor = Tensor(shape: stored.shape, type: stored.type, littleEndian: content) else {
            throw PocketClipError.bundle(
                .tensor(
                    file: stored.file,
                    reason: "has \(content.count) bytes, which are not \(stored.shape) of \(stored.type.rawValue)"))
        }
        guard tensor.isFinite else {
            throw PocketClipError.bundle(.tensor(file: stored.file, reason: "holds NaN or infinite values"))
        }
        return tensor
    }

    /// The pixels of a golden image.
    public func image(_ golden: GoldenImage) throws -> PackedImage {
        let pixels = try tensor(golden.pixels)
        guard case .uint8(let bytes) = pixels.values else {
            throw PocketClipError.bundle(.tensor(file: golden.pixels.file, reason: "is not uint8"))
        }
        return try PackedImage(width: pixels.shape[1], height: pixels.shape[0], bytes: bytes)
    }

    /// The tower's model file or package folder.
    public func modelURL(_ tower: BundledTower) -> URL {
        folder.appendingPathComponent(tower.entryPoint)
    }

    private static func checkVersion(_ json: JSONValue) throws {
        guard case .object(let fields) = json, case .integer(let version)? = fields["schema_version"], version >= 1
        else {
            throw PocketClipError.document(.missing(place: BundleManifest.fileName, key: "schema_version of 1 or more"))
        }
        guard version <= BundleManifest.knownSchemaVersion else {
            throw PocketClipError.bundle(.newer(found: version, known: BundleManifest.knownSchemaVersion))
        }
        guard version != BundleManifest.androidSchemaVersion else {
            throw PocketClipError.bundle(.forAndroid)
        }
    }

    private func checkListed() throws {
        let listed = Set(manifest.files.map(\.path))
        for model in manifest.models where model.modelFiles(of: manifest).isEmpty {
            throw PocketClipError.bundle(
                .unfit(reason: "the model \"\(model.entryPoint)\" is not among the files listed"))
        }
        for tensor in manifest.tensors where !listed.contains(tensor.file) {
            throw PocketClipError.bundle(.unfit(reason: "the tensor \"\(tensor.file)\" is not among the files listed"))
        }
    }
}
