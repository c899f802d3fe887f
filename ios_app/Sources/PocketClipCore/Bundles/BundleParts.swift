/// What a schema cannot say: that towers, tokenizer, labels and golden data are about one model.
enum BundleParts {
    private static let byteCount = 256
    // Of declared ranges: they were computed from mean and std in double precision.
    private static let rounding = 1e-4

    static func check(_ manifest: BundleManifest) throws {
        try checkShapes(manifest)
        for (isWrong, words) in faults(of: manifest) where isWrong {
            throw PocketClipError.bundle(.unfit(reason: words))
        }
        for model in [manifest.image] + manifest.variants(of: .image).map(\.model) {
            if let words = imageInputFault(manifest.preprocess, model.input) {
                throw PocketClipError.bundle(.unfit(reason: words))
            }
        }
    }

    private static func faults(of manifest: BundleManifest) -> [(Bool, String)] {
        let tokenizer = manifest.tokenizer
        let labels = manifest.labels
        let models = manifest.models
        let texts = [manifest.text] + manifest.variants(of: .text).map(\.model)
        return variantFaults(manifest) + [
            (Set(models.map(\.normalized)).count > 1, "one tower gives raw embeddings, the other not"),
            (
                texts.contains { $0.input.shape != [1, tokenizer.contextLength] },
                "the text tower takes another context length"
            ),
            (
                models.contains { $0.output.shape != [1, manifest.model.embeddingDim] },
                "a tower's output is not the model's embedding"
            ),
            (
                tokenizer.byteOrder.sorted() != Array(0..<byteCount),
                "byte_order is not the 256 bytes in some order"
            ),
            (
                tokenizer.startId != tokenizer.vocabularySize - 2 || tokenizer.endId != tokenizer.vocabularySize - 1,
                "start and end are not the last two ids"
            ),
            (texts.contains { $0.input.dtype != "int32" }, "the text tower takes other ids than int32"),
            (!models.allSatisfy { liesAlone($0, manifest) }, "a model has no folder of its own"),
            (tokenizer.contextLength < 3, "the context is shorter than start, one token and end"),
            (labels?.names.isEmpty ?? false, "the label list is empty"),
            (labels.map { Set($0.names).count != $0.names.count } ?? false, "a label stands twice"),
            (manifest.templates.texts.isEmpty, "there are no prompt templates"),
            (manifest.templates.texts.contains { !$0.contains("{}") }, "a template has no place for the label"),
            (
                manifest.endToEnd.images.contains { isForeign($0.ranking, labels) },
                "a golden ranking names a label that does not exist"
            ),
        ]
    }

    private static func variantFaults(_ manifest: BundleManifest) -> [(Bool, String)] {
        let variants = manifest.variants
        let isPlain = manifest.schemaVersion == BundleManifest.plainSchemaVersion
        return [
            (variants.isEmpty != isPlain, "variants belong to schema \(BundleManifest.knownSchemaVersion)"),
            (
                variants.contains { $0.model.target != "coreai" || $0.model.runtime != "coreai" },
                "a variant for newer systems is of another target than coreai"
            ),
            (
                !variants.isEmpty && [manifest.image, manifest.text].contains { $0.runtime != "coreml" },
                "a tower with variants for newer systems is not for those before"
            ),
            (Set(variants.map(\.tower)).count != variants.count, "a tower has two variants for the same systems"),
            (variants.contains { $0.model.minimumIOS == nil }, "a variant does not say from which system on it runs"),
            (
                variants.contains {
                    $0.specializations.isEmpty || Set($0.specializations).count != $0.specializations.count
                },
                "a variant has no specialisation, or one of them twice"
            ),
            (
                !variants.isEmpty && Set(manifest.models.map(\.place)).count != manifest.models.count,
                "two models lie in one folder"
            ),
        ]
    }

    /// Whether a tower lies in a folder without tensors: what lies there is its size.
    private static func liesAlone(_ tower: BundledTower, _ manifest: BundleManifest) -> Bool {
        let folder = "\(tower.place)/"
        return tower.entryPoint.hasPrefix(folder) && !manifest.tensors.contains { $0.file.hasPrefix(folder) }
    }

    private static func isForeign(_ ranking: GoldenRanking?, _ labels: LabelSet?) -> Bool {
        guard let ranking, let labels else { return false }
        return !ranking.places.allSatisfy(labels.names.indices.contains)
            || ranking.cosines.count != ranking.places.count
    }

    private static func checkShapes(_ manifest: BundleManifest) throws {
        let end = manifest.endToEnd
        let width = manifest.model.embeddingDim
        let tokenizer = manifest.tokenizer
        var wanted: [(StoredTensor, [Int], String)] = [
            (end.preprocessed, [end.images.count] + manifest.image.input.shape.dropFirst(), manifest.image.input.dtype),
            (end.imageEmbeddings, [end.images.count, width], "float32"),
            (end.tokenIds, [end.sentences.count, tokenizer.contextLength], "int32"),
            (end.sentenceEmbeddings, [end.sentences.count, width], "float32"),
            (tokenizer.merges, [CLIPVocabulary.mergeCount, 2], "uint16"),
        ]
        wanted += end.images.map { ($0.pixels, Array($0.pixels.shape.prefix(2)) + [3], "uint8") }
        for tower in manifest.models {
            let samples = Array(tower.golden.inputs.shape.prefix(1))
            wanted += [
                (tower.golden.inputs, samples + tower.input.shape.dropFirst(), tower.input.dtype),
                (tower.golden.reference, samples + [width], "float32"),
                (tower.golden.outputs, samples + [width], "float32"),
            ]
        }
        if let labels = manifest.labels {
            wanted.append((labels.embeddings, [labels.names.count, width], "float32"))
        }
        if let kept = tokenizer.keptIds {
            wanted.append((kept, [tokenizer.vocabularySize], "uint16"))
        }
        for (tensor, shape, dtype) in wanted
        where tensor.shape != shape || tensor.type.rawValue != dtype || Tensor.elementCount(shape) == nil {
            throw PocketClipError.bundle(
                .tensor(
                    file: tensor.file,
                    reason: "is \(tensor.type.rawValue) \(tensor.shape) where \(dtype) \(shape) belongs"))
        }
    }

    /// What is wrong with an image tower's input, in words; nil where its preprocessing makes it.
    static func imageInputFault(_ preprocess: PreprocessSpec, _ input: TensorSpec) -> String? {
        let size = preprocess.imageSize
        guard size >= 1, preprocess.mean.count == 3, preprocess.std.count == 3, preprocess.std.allSatisfy({ $0 > 0 })
        else {
            return "the preprocessing has no size, or no mean and positive std of three channels"
        }
        let shapes = ["NCHW": [1, 3, size, size], "NHWC": [1, size, size, 3]]
        guard let shape = shapes[input.layout], ["float32", "uint8"].contains(input.dtype) else {
            return
                "the image tower takes \(input.dtype) in layout \(input.layout); float32 and uint8 in NCHW and NHWC are known"
        }
        guard input.shape == shape else {
            return "the image tower takes \(input.shape), its preprocessing makes \(shape)"
        }
        let isBytes = input.dtype == "uint8"
        var low = 0.0
        var high = 255.0
        if !isBytes {
            let lowest = zip(preprocess.mean, preprocess.std).map { mean, std -> Double in (0 - mean) / std }
            let highest = zip(preprocess.mean, preprocess.std).map { mean, std -> Double in (1 - mean) / std }
            low = lowest.min() ?? 0
            high = highest.max() ?? 1
        }
        guard abs(input.minimum - low) <= rounding, abs(input.maximum - high) <= rounding else {
            return "the image tower takes values from \(input.minimum) to \(input.maximum), "
                + "its preprocessing makes \(low) to \(high)"
        }
        return nil
    }
}
