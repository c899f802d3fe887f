import Foundation

/// What shall be encoded in one launch, and how.
public struct ThroughputRequest: Sendable {
    public let load: LoadRequest
    public let photos: [PhotoFile]
    public let preprocessor: ImagePreprocessor
    public let decoders: Int
    public let seconds: Double
    public let warmupPhotos: Int
    public let stepPhotos: Int

    public init(
        load: LoadRequest, photos: [PhotoFile], preprocessor: ImagePreprocessor, decoders: Int, seconds: Double,
        warmupPhotos: Int, stepPhotos: Int
    ) {
        self.load = load
        self.photos = photos
        self.preprocessor = preprocessor
        self.decoders = decoders
        self.seconds = seconds
        self.warmupPhotos = warmupPhotos
        self.stepPhotos = stepPhotos
    }
}

/// What a launch found.
public struct MeasuredThroughput: Sendable {
    public let launch: ThroughputLaunch
    public let runtimeVersion: String?
    public let acceleratorObserved: String?
}

/// How many photographs a second become embeddings, by the rules of `benchmark/runners/host_throughput.py`: first the
/// steps of single photographs one by one, then all threads at work.
public struct Throughput: Sendable {
    // Asking the system takes time from what is measured.
    private static let lookNs = 5_000_000_000
    // Apple's critical: the phone itself is in danger. That it warms up is part of what is measured.
    private static let hottest = 2

    private let runtime: any ModelRuntime
    private let machine: any Machine
    private let decoder: any PhotoDecoder
    private let progress: @Sendable (String) -> Void

    public init(
        runtime: any ModelRuntime, machine: any Machine, decoder: any PhotoDecoder,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.runtime = runtime
        self.machine = machine
        self.decoder = decoder
        self.progress = progress
    }

    /// - Throws: `ModelError`; `JobFailure` where no photograph can be decoded, or the phone became too warm.
    public func run(_ request: ThroughputRequest) async throws -> MeasuredThroughput {
        try runtime.check(request.load)
        var launch = ThroughputLaunch()
        launch.before = await machine.state()
        try await runtime.prepare(request.load)
        let session = try await runtime.load(request.load)
        progress("timing single photographs")
        let rotation = try await steps(request, session, &launch)
        progress("encoding")
        let ended = try await flow(request, session, rotation, &launch)
        launch.after = await machine.state()
        launch.unreadable = ended.unreadable
        launch.firstUnreadable = ended.firstUnreadable
        return MeasuredThroughput(
            launch: launch, runtimeVersion: runtime.version, acceleratorObserved: await session.observedAccelerator())
    }

    /// The medians of the steps, and the photographs that are left.
    private func steps(
        _ request: ThroughputRequest, _ session: any ModelSession, _ launch: inout ThroughputLaunch
    ) async throws -> PhotoRotation {
        var rotation = PhotoRotation(request.photos)
        var found: [(decode: Int, resize: Int, inference: Int)] = []
        while found.count < request.warmupPhotos + request.stepPhotos {
            guard let photo = rotation.next() else { throw rotation.failure }
            let started = Moments.monotonicNanoseconds()
            let image: PackedImage
            do {
                image = try Self.decoded(photo, by: decoder)
            } catch PocketClipError.image(let error) {
                rotation.leaveOut(photo, because: error.message)
                continue
            }
            let decoded = Moments.monotonicNanoseconds()
            let input = try request.preprocessor(image)
            let resized = Moments.monotonicNanoseconds()
            _ = try await session.embed(input)
            found.append((decoded - started, resized - decoded, Moments.monotonicNanoseconds() - resized))
        }
        let steady = found.dropFirst(request.warmupPhotos)
        launch.decodeNs = Int(Statistics.median(steady.map { Double($0.decode) }))
        launch.resizeNs = Int(Statistics.median(steady.map { Double($0.resize) }))
        launch.inferenceNs = Int(Statistics.median(steady.map { Double($0.inference) }))
        return rotation
    }

    private func flow(
        _ request: ThroughputRequest, _ session: any ModelSession, _ rotation: PhotoRotation,
        _ launch: inout ThroughputLaunch
    ) async throws -> PhotoRotation {
        let (decoder, preprocessor) = (decoder, request.preprocessor)
        let started = Moments.monotonicNanoseconds()
        let limit = Int(request.seconds * 1e9)
        let ahead = DecodedAhead(rotation, threads: request.decoders) { photo in
            try preprocessor(Self.decoded(photo, by: decoder))
        }
        do {
            var looked = started
            while launch.elapsedNs < limit {
                try Task.checkCancellation()
                _ = try await session.embed(ahead.next())
                launch.photos += 1
                let now = Moments.monotonicNanoseconds()
                launch.elapsedNs = now - started
                if now - looked >= Self.lookNs {
                    looked = now
                    try Self.checkHeat(await machine.state())
                }
            }
        } catch {
            _ = ahead.stop()
            throw error
        }
        return ahead.stop()
    }

    private static func decoded(_ photo: PhotoFile, by decoder: any PhotoDecoder) throws -> PackedImage {
        guard let content = try? Data(contentsOf: photo.url) else {
            throw PocketClipError.storage(.unreadable(path: photo.name, reason: "it is gone"))
        }
        return try decoder.decode(content, named: photo.name)
    }

    private static func checkHeat(_ state: MachineState) throws {
        if let status = state.thermalStatus, status > hottest {
            throw PocketClipError.job(
                JobFailure(
                    .thermal,
                    "thermal state \(status) while it was measured, at most \(hottest) allowed; let the device cool down"
                ))
        }
    }
}
