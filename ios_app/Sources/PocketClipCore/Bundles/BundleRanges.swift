import Foundation

/// What each field of a manifest may hold: hashes, paths, and the ranges of numbers, the same as in Python
/// (`models/untrusted`, `export/bundle/manifest.py`) and Kotlin. Nothing is read into memory before it has passed.
enum BundleRanges {
    /// A manifest lists files and sentences: some ten kilobytes.
    static let mostManifestBytes = 16 << 20
    /// Of one tensor: all of them are read when a bundle is opened.
    static let mostTensorBytes = 64 << 20
    /// More than any model that a phone could hold in memory.
    static let mostBytes = 4 << 30

    /// Far more than there are towers and runtimes.
    private static let mostVariants = 256

    private static let sides = 1...(1 << 24)
    private static let sideCounts = 1...8
    // A little beyond 1: that is what single precision makes of vectors of length 1.
    private static let cosines = -1.001...1.001
    private static let shares = 0.0...1.0
    private static let types = ["uint8", "int32", "float32"]
    private static let leastContext = 3

    // `SPLITTING` in export/bundle/manifest.py: no groups, nothing empty, no way back over text.
    private static let category = #"\\[pP]\{[CLMNPSZ][a-z]?\}|\\[sS]"#
    private static let atom =
        #"(?:[^\\\[\]()\{\}|*+?\^\$.]|"# + category + #"|\[\^?(?:[^\\\[\]\^\&~|\-]|"# + category + #")+\])"#
    private static let pattern = atom + #"+\+?(?:\|"# + atom + #"+\+?)*"#

    static func check(_ manifest: BundleManifest) throws {
        for (place, hash) in hashes(of: manifest) where !isHash(hash) {
            throw unfit("\(place) must be 64 hex digits in lower case, got \(quoted(hash))")
        }
        let paths = manifest.models.map(\.entryPoint) + manifest.tensors.map(\.file)
        for path in paths {
            if let fault = SafePath.fault(of: path) {
                throw PocketClipError.bundle(.hostilePath(path: path, reason: fault))
            }
        }
        for (isWrong, words) in faults(of: manifest) where isWrong {
            throw unfit(words)
        }
        try checkSizes(manifest)
    }

    /// Whether a text is what SHA-256 is written as.
    static func isHash(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// A text as messages show it: without control characters, and not endless.
    private static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : String($0) }
        return "\"\(shown.joined())\""
    }

    private static func isLayout(_ text: String) -> Bool {
        (1...8).contains(text.utf8.count) && text.utf8.allSatisfy((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains)
    }

    private static func unfit(_ words: String) -> PocketClipError { .bundle(.unfit(reason: words)) }

    private static func hashes(of manifest: BundleManifest) -> [(String, String)] {
        [
            ("model.config_sha256", manifest.model.configSha256),
            ("model.weights_sha256", manifest.model.weightsSha256),
            ("image.artifact_sha256", manifest.image.artifactSha256),
            ("text.artifact_sha256", manifest.text.artifactSha256),
        ] + manifest.variants.map { ("artifact_sha256 of a variant", $0.model.artifactSha256) }
            + manifest.files.map { ("the hash of \(quoted($0.path))", $0.sha256) }
    }

    private static func faults(of manifest: BundleManifest) -> [(Bool, String)] {
        modelFaults(manifest) + goldenFaults(manifest) + tokenizerFaults(manifest.tokenizer)
    }

    private static func modelFaults(_ manifest: BundleManifest) -> [(Bool, String)] {
        let model = manifest.model
        let towers = manifest.models
        let specs = towers.flatMap { [$0.input, $0.output] }
        let shapes = manifest.tensors.map(\.shape) + specs.map(\.shape)
        let tolerances = towers.flatMap {
            [$0.tolerances.same, $0.tolerances.other] + [$0.tolerances.reference].compactMap { $0 }
        }
        return [
            (model.parameters < 0, "parameters are negative"),
            (manifest.variants.count > mostVariants, "there are more than \(mostVariants) variants"),
            (!sides.contains(model.embeddingDim), "embedding_dim must be from 1 to \(sides.upperBound)"),
            (!(model.logitScale > 0 && model.logitScale <= 1e6), "logit_scale must be above 0 and at most 1000000"),
            (
                shapes.contains { !sideCounts.contains($0.count) || !$0.allSatisfy(sides.contains) },
                "a shape must have 1 to \(sideCounts.upperBound) sides, each from 1 to \(sides.upperBound)"
            ),
            (
                specs.contains { !types.contains($0.dtype) || !isLayout($0.layout) },
                "a tower has a type other than \(types) or a layout that is not a capital letter for each axis"
            ),
            (
                towers.contains { !(1...1000).contains($0.minimumIOS ?? 1) },
                "minimum_ios must be from 1 to 1000"
            ),
            (
                tolerances.contains { !shares.contains($0.cosineMin) || !($0.maxAbs > 0 && $0.maxAbs <= 2) },
                "a tolerance must have a cosine_min from 0 to 1 and a max_abs above 0 and at most 2"
            ),
        ]
    }

    private static func goldenFaults(_ manifest: BundleManifest) -> [(Bool, String)] {
        let parities = manifest.models.compactMap(\.parity)
        let rankings = manifest.endToEnd.images.compactMap(\.ranking)
        return [
            (
                parities.contains {
                    $0.samples < 0 || !cosines.contains($0.cosineMean) || !cosines.contains($0.cosineMin)
                        || !shares.contains($0.top1Agreement)
                },
                "a parity has a negative count, or a cosine or share that is none"
            ),
            (
                rankings.contains {
                    !$0.cosines.allSatisfy(cosines.contains) || !$0.probabilities.allSatisfy(shares.contains)
                        || $0.places.contains { $0 < 0 }
                },
                "a golden ranking has a place, a cosine or a probability that is none"
            ),
            (
                rankings.contains { $0.places.count != $0.cosines.count || $0.places.count != $0.probabilities.count },
                "a golden ranking has other numbers of places, cosines and probabilities"
            ),
            (!(0.0...255.0).contains(manifest.endToEnd.pixelTolerance), "pixel_tolerance must be from 0 to 255"),
        ]
    }

    private static func tokenizerFaults(_ tokenizer: TokenizerSpec) -> [(Bool, String)] {
        let ids = [tokenizer.startId, tokenizer.endId, tokenizer.padId] + tokenizer.specialTexts.map(\.id)
        return [
            (
                !(leastContext...sides.upperBound).contains(tokenizer.contextLength),
                "context_length must be from \(leastContext) to \(sides.upperBound)"
            ),
            (
                !(leastContext...CLIPVocabulary.size).contains(tokenizer.vocabularySize),
                "vocabulary_size must be from \(leastContext) to \(CLIPVocabulary.size)"
            ),
            (
                !ids.allSatisfy((0..<CLIPVocabulary.size).contains),
                "a token's id must be from 0 to \(CLIPVocabulary.size - 1)"
            ),
            (tokenizer.padId >= tokenizer.vocabularySize, "pad_id is no id of the vocabulary"),
            (
                tokenizer.keptIds == nil && tokenizer.vocabularySize != CLIPVocabulary.size,
                "vocabulary_size is not that of the whole vocabulary, and kept_ids is missing"
            ),
            (tokenizer.specialTexts.contains { $0.text.isEmpty }, "a special text is empty"),
            (tokenizer.specialTexts.count > 64, "there are more than 64 special texts"),
            (tokenizer.cleaning.count > 16, "there are more than 16 steps of cleaning"),
            (
                !isSplitting(tokenizer.pattern),
                "the tokenizer's pattern must be alternatives of characters, classes and categories, of which the last one "
                    + "may be followed by +"
            ),
        ]
    }

    private static func isSplitting(_ text: String) -> Bool {
        guard text.unicodeScalars.count <= 1000, let whole = try? NSRegularExpression(pattern: "\\A(?:\(pattern))\\z")
        else { return false }
        return whole.firstMatch(in: text, range: NSRange(location: 0, length: (text as NSString).length)) != nil
    }

    /// Sizes as they are listed, so that nothing larger is brought into memory.
    private static func checkSizes(_ manifest: BundleManifest) throws {
        var total = 0
        for entry in manifest.files {
            guard (0...mostBytes).contains(entry.sizeBytes) else {
                throw unfit("\(quoted(entry.path)) is listed with an impossible size")
            }
            total += entry.sizeBytes
            if total > mostBytes {
                throw unfit("its files have more than \(mostBytes) bytes in all")
            }
        }
        let sizes = Dictionary(manifest.files.map { ($0.path, $0.sizeBytes) }) { first, _ in first }
        for tensor in manifest.tensors {
            guard let size = sizes[tensor.file] else { continue }
            let count = Tensor.elementCount(tensor.shape)
            guard let count, count * tensor.type.byteCount == size, size <= mostTensorBytes else {
                throw PocketClipError.bundle(
                    .tensor(
                        file: tensor.file,
                        reason:
                            "is listed with \(size) bytes, which are not \(tensor.shape) of \(tensor.type.rawValue), "
                            + "or more than the \(mostTensorBytes) that are read"))
            }
        }
    }
}
