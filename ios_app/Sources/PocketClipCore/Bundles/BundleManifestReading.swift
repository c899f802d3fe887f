// How each part of a manifest is read. Names in JSON are those of docs/bundles.md.

extension BundleManifest: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "schema_version", "created_at", "generator", "model", "image", "text", "preprocess", "tokenizer",
                "templates", "labels", "end_to_end", "licences", "files", "variants",
            ])
        schemaVersion = try fields["schema_version"]
        createdAt = try fields["created_at"]
        generator = try fields["generator"]
        model = try fields["model"]
        image = try fields["image"]
        text = try fields["text"]
        preprocess = try fields["preprocess"]
        tokenizer = try fields["tokenizer"]
        templates = try fields["templates"]
        labels = try fields["labels"]
        endToEnd = try fields["end_to_end"]
        licences = try fields["licences"]
        files = try fields["files"]
        // `BundleParts` knows which schema has them.
        variants = try fields.optional("variants") ?? []
    }
}

extension ModelIdentity: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: ["name", "config_sha256", "weights_sha256", "parameters", "embedding_dim", "logit_scale"])
        name = try fields["name"]
        configSha256 = try fields["config_sha256"]
        weightsSha256 = try fields["weights_sha256"]
        parameters = try fields["parameters"]
        embeddingDim = try fields["embedding_dim"]
        logitScale = try fields["logit_scale"]
    }
}

extension StoredTensor: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["file", "shape", "dtype"])
        file = try fields["file"]
        shape = try fields["shape"]
        type = try fields["dtype"]
    }
}

extension TensorSpec: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["name", "shape", "dtype", "layout", "minimum", "maximum"])
        name = try fields["name"]
        shape = try fields["shape"]
        dtype = try fields["dtype"]
        layout = try fields["layout"]
        minimum = try fields["minimum"]
        maximum = try fields["maximum"]
    }
}

extension FileEntry: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["path", "size_bytes", "sha256"])
        path = try fields["path"]
        sizeBytes = try fields["size_bytes"]
        sha256 = try fields["sha256"]
    }
}

extension Tolerance: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["cosine_min", "max_abs"])
        cosineMin = try fields["cosine_min"]
        maxAbs = try fields["max_abs"]
    }
}

extension TowerTolerances: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["same", "other", "reference"])
        same = try fields["same"]
        other = try fields["other"]
        reference = try fields["reference"]
    }
}

extension Execution: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["runtime", "machine", "features"])
        runtime = try fields["runtime"]
        machine = try fields["machine"]
        features = try fields["features"]
    }
}

extension ParitySummary: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: ["samples", "cosine_mean", "cosine_min", "top1_agreement", "failures"])
        samples = try fields["samples"]
        cosineMean = try fields["cosine_mean"]
        cosineMin = try fields["cosine_min"]
        top1Agreement = try fields["top1_agreement"]
        failures = try fields["failures"]
    }
}

extension TowerGolden: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["inputs", "reference", "outputs"])
        inputs = try fields["inputs"]
        reference = try fields["reference"]
        outputs = try fields["outputs"]
    }
}

extension SystemVariant: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: BundledTower.keys + ["tower", "specializations"])
        tower = try fields["tower"]
        specializations = try fields["specializations"]
        model = try BundledTower(fields)
    }
}

extension BundledTower: JSONReadable {
    static let keys = [
        "target", "precision", "runtime", "requires", "minimum_ios", "entry_point", "input", "output", "normalized",
        "versions", "artifact_sha256", "parity", "executed_by", "tolerances", "golden", "scheme",
    ]

    public init(json: JSONValue, at place: String) throws {
        try self.init(JSONFields(json, at: place, known: Self.keys))
    }

    init(_ fields: JSONFields) throws {
        target = try fields["target"]
        precision = try fields["precision"]
        runtime = try fields["runtime"]
        requires = try fields["requires"]
        minimumIOS = try fields["minimum_ios"]
        entryPoint = try fields["entry_point"]
        input = try fields["input"]
        output = try fields["output"]
        normalized = try fields["normalized"]
        versions = try fields["versions"]
        artifactSha256 = try fields["artifact_sha256"]
        parity = try fields["parity"]
        executedBy = try fields["executed_by"]
        tolerances = try fields["tolerances"]
        golden = try fields["golden"]
        let scheme: String? = try fields.optional("scheme")
        self.scheme = scheme.flatMap { $0.isEmpty ? nil : $0 } ?? "\(target)-\(precision)"
    }
}

extension PreprocessSpec: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: ["image_size", "resize_mode", "interpolation", "mean", "std"])
        imageSize = try fields["image_size"]
        resizeMode = try fields["resize_mode"]
        interpolation = try fields["interpolation"]
        mean = try fields["mean"]
        std = try fields["std"]
    }
}

extension SpecialText: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["text", "id"])
        text = try fields["text"]
        id = try fields["id"]
    }
}

extension TokenizerSpec: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "context_length", "vocabulary_size", "start_id", "end_id", "pad_id", "cleaning", "pattern",
                "special_texts", "byte_order", "merges", "kept_ids",
            ])
        contextLength = try fields["context_length"]
        vocabularySize = try fields["vocabulary_size"]
        startId = try fields["start_id"]
        endId = try fields["end_id"]
        padId = try fields["pad_id"]
        cleaning = try fields["cleaning"]
        pattern = try fields["pattern"]
        specialTexts = try fields["special_texts"]
        byteOrder = try fields["byte_order"]
        merges = try fields["merges"]
        keptIds = try fields["kept_ids"]
    }
}

extension PromptTemplates: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["name", "texts", "articles"])
        name = try fields["name"]
        texts = try fields["texts"]
        articles = try fields["articles"]
    }
}

extension LabelSet: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["names", "embeddings"])
        names = try fields["names"]
        embeddings = try fields["embeddings"]
    }
}

extension GoldenRanking: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["places", "cosines", "probabilities"])
        places = try fields["places"]
        cosines = try fields["cosines"]
        probabilities = try fields["probabilities"]
    }
}

extension GoldenImage: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["name", "pixels", "ranking"])
        name = try fields["name"]
        pixels = try fields["pixels"]
        ranking = try fields["ranking"]
    }
}

extension EndToEnd: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(
            json, at: place,
            known: [
                "images", "preprocessed", "image_embeddings", "sentences", "token_ids", "sentence_embeddings",
                "pixel_tolerance",
            ])
        images = try fields["images"]
        preprocessed = try fields["preprocessed"]
        imageEmbeddings = try fields["image_embeddings"]
        sentences = try fields["sentences"]
        tokenIds = try fields["token_ids"]
        sentenceEmbeddings = try fields["sentence_embeddings"]
        pixelTolerance = try fields["pixel_tolerance"]
    }
}

extension LicenceNote: JSONReadable {
    public init(json: JSONValue, at place: String) throws {
        let fields = try JSONFields(json, at: place, known: ["part", "licence", "copyright", "source"])
        part = try fields["part"]
        licence = try fields["licence"]
        copyright = try fields["copyright"]
        source = try fields["source"]
    }
}
