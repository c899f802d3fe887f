import PocketClipCore

/// An engine that gives what a test says.
actor ScriptedEngine: ClipEncoding {
    nonisolated let origin = EmbeddingOrigin(
        model: "scripted", weightsSha256: String(repeating: "1", count: 64),
        imageSha256: String(repeating: "2", count: 64), width: 2, artifact: "none")
    nonisolated let logitScale = 10.0
    nonisolated let storedLabels = ["a cat", "a dog"]
    private(set) var classified = 0
    private(set) var embedded = 0
    private var failure: PocketClipError?
    private var milliseconds = 0

    func fail(_ failure: PocketClipError) { self.failure = failure }
    func wait(milliseconds: Int) { self.milliseconds = milliseconds }

    func embed(image: PackedImage) async throws -> Embedding {
        embedded += 1
        try await Task.sleep(for: .milliseconds(milliseconds))
        let shade = Double(image.bytes[0]) / 255
        return Embedding(
            values: [Float(shade), Float((1 - shade * shade).squareRoot())], preparationNs: 1, inferenceNs: 1)
    }

    func embed(sentence: String) async throws -> Embedding {
        Embedding(values: [1, 0], preparationNs: 1, inferenceNs: 1)
    }

    func classify(_ image: PackedImage, labels: [String]) async throws -> Classification {
        classified += 1
        try await Task.sleep(for: .milliseconds(milliseconds))
        if let failure { throw failure }
        let guesses = labels.map { Guess(label: $0, cosine: 0.5, probability: 1 / Double(labels.count)) }
        return Classification(guesses: guesses, image: try await embed(image: image), textInferenceNs: nil)
    }
}

/// Photographs of another shade each.
struct GreyPhotos: PhotoSource {
    let name = "greys"
    let count: Int

    func photos() async throws -> [PhotoReference] {
        (0..<count).map { PhotoReference(id: "\($0)", version: "") }
    }

    func image(of photo: PhotoReference) async throws -> PackedImage {
        let shade = UInt8((Int(photo.id) ?? 0) * 4 % 256)
        return try PackedImage(width: 2, height: 2, bytes: [UInt8](repeating: shade, count: 12))
    }
}
