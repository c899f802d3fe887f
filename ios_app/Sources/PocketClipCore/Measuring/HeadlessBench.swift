import Foundation

/// The app without screens: reads `job.json`, measures, writes `result.json`, and says so in one line.
///
/// Exit codes do not survive every way to a phone, so whoever reads the result trusts that line alone.
public struct HeadlessBench: Sendable {
    /// The variable that starts an app headless where it is `1`.
    public static let variable = "POCKETCLIP_BENCH"
    public static let jobName = "job.json"
    public static let resultName = "result.json"
    public static let resultLine = "POCKETCLIP-RESULT"
    // Apple's serious; fair, below it, is no reason.
    private static let hottest = 1
    private static let lowestBattery = 20

    private let documents: URL
    private let runtimes: [any ModelRuntime]
    private let machine: any Machine
    private let decoder: any PhotoDecoder
    private let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - documents: the folder that jobs and paths are below.
    ///   - runtimes: what the program has.
    ///   - machine: what it runs on.
    ///   - decoder: of photographs, the same that the app indexes with.
    ///   - say: called with lines for standard output.
    public init(
        documents: URL, runtimes: [any ModelRuntime], machine: any Machine, decoder: any PhotoDecoder,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.documents = documents
        self.runtimes = runtimes
        self.machine = machine
        self.decoder = decoder
        self.say = say
    }

    /// Carries out the job; a measured failure is a result, too.
    ///
    /// Where the job removes the result's file, none is written, and an empty one is announced.
    ///
    /// - Throws: `StorageError` where the result cannot be written.
    public func run() async throws {
        let (answer, isWritten) = await answer()
        let content = isWritten ? try answer.text() : Data()
        if isWritten {
            try AtomicFile.write(content, to: documents.appendingPathComponent(Self.resultName))
        }
        say("\(Self.resultLine) \(content.count) \(SHA256Digest.hex(of: content))")
    }

    /// What is answered, and whether it is to be written.
    private func answer() async -> (JSONValue, Bool) {
        var result = AgentResult(platform: machine.platform, appVersion: machine.appVersion)
        do {
            let content = try readJob()
            result.requestSha256 = SHA256Digest.hex(of: content)
            result.jobId = Self.jobId(in: content)
            switch try HeadlessAction(parsing: content) {
            case .facts: return (facts().json, true)
            case .measure(let job): try await measure(job, into: &result)
            case .throughput(let job): try await measure(job, into: &result)
            case .arrange(let arrangement):
                try arrangement.carryOut(in: documents)
                return (result.json, !arrangement.remove.contains(Self.resultName))
            }
        } catch {
            result.failure = JobFailure(error)
            result.launch = nil
            result.outputs = nil
            result.throughput = nil
        }
        return (result.json, true)
    }

    private func readJob() throws -> Data {
        do {
            return try Data(contentsOf: documents.appendingPathComponent(Self.jobName))
        } catch {
            throw PocketClipError.job(
                JobFailure(.badJob, "cannot read \(Self.jobName): \(error.localizedDescription); copy it again"))
        }
    }

    private static func jobId(in content: Data) -> String? {
        guard case .object(let fields)? = try? JSONValue(parsing: content, source: jobName),
            case .string(let id)? = fields["job_id"]
        else { return nil }
        return id
    }

    private func facts() -> AppFacts {
        let free = try? FileManager.default.attributesOfFileSystem(forPath: documents.path)[.systemFreeSize]
        return AppFacts(
            appVersion: machine.appVersion, platform: machine.platform,
            runtimes: Dictionary(runtimes.map { ($0.name, $0.version) }) { first, _ in first },
            accelerators: Dictionary(runtimes.map { ($0.name, $0.accelerators.map(\.rawValue)) }) { first, _ in first },
            models: [], freeBytes: (free as? NSNumber)?.intValue, debuggable: machine.isDebugBuild)
    }

    private func measure(_ job: Job, into result: inout AgentResult) async throws {
        let request = try request(for: job)
        try await checkConditions()
        let runtime = try runtime(named: job.runtime)
        let measured = try await Measurement(runtime: runtime, machine: machine, progress: say).run(request)
        result.outputs = try OutputFile.write(
            measured.outputs, to: SafePath.resolve(job.outputsPath, in: documents), named: job.outputsPath)
        result.launch = measured.launch
        result.runtimeVersion = measured.runtimeVersion
        result.acceleratorObserved = measured.acceleratorObserved
    }

    private func measure(_ job: ThroughputJob, into result: inout AgentResult) async throws {
        let load = try loadRequest(
            modelPath: job.modelPath, files: job.files, accelerator: job.accelerator, loadMode: .file)
        try ListedFiles.check(job.photos, in: documents)
        let photos = try job.photos.map {
            PhotoFile(name: $0.path, url: try SafePath.resolve($0.path, in: documents))
        }
        try await checkConditions()
        let throughput = Throughput(
            runtime: try runtime(named: job.runtime), machine: machine, decoder: decoder, progress: say)
        let measured = try await throughput.run(
            ThroughputRequest(
                load: load, photos: photos, preprocessor: ImagePreprocessor(job.preprocess, input: job.input),
                decoders: job.decoders, seconds: job.seconds, warmupPhotos: job.warmupPhotos,
                stepPhotos: job.stepPhotos))
        result.throughput = measured.launch
        result.runtimeVersion = measured.runtimeVersion
        result.acceleratorObserved = measured.acceleratorObserved
    }

    private func runtime(named name: String) throws -> any ModelRuntime {
        guard let runtime = runtimes.first(where: { $0.name == name }) else {
            throw PocketClipError.job(
                JobFailure(
                    .runtimeMissing,
                    "this app has no runtime \"\(name)\"; choose from \(runtimes.map(\.name).joined(separator: ", "))"
                ))
        }
        return runtime
    }

    private func request(for job: Job) throws -> MeasurementRequest {
        _ = try SafePath.resolve(job.outputsPath, in: documents)
        guard let input = job.inputs.first else {
            throw PocketClipError.job(JobFailure(.badJob, "the job has no input"))
        }
        let inputURL = try SafePath.resolve(input.path, in: documents)
        let load = try loadRequest(
            modelPath: job.modelPath, files: job.files, accelerator: job.accelerator, loadMode: job.loadMode)
        return MeasurementRequest(
            load: load, samples: try samples(of: input, at: inputURL), warmup: job.warmup, iterations: job.iterations,
            minimumSeconds: job.minimumSeconds, sustainedSeconds: job.sustainedSeconds)
    }

    /// A job's model, of which every file is as the job lists it, and nothing else lies there.
    private func loadRequest(
        modelPath: String, files: [FileEntry], accelerator name: String, loadMode: LoadMode
    ) throws -> LoadRequest {
        let model = try SafePath.resolve(modelPath, in: documents)
        try ListedFiles.check(files, in: documents)
        let own = files.filter { $0.path == modelPath || $0.path.hasPrefix(modelPath + "/") }
        guard !own.isEmpty else {
            throw PocketClipError.job(
                JobFailure(.modelAltered, "the job lists no file of \"\(modelPath)\", so that none can be checked"))
        }
        if own.first?.path != modelPath {
            let inside = own.map {
                FileEntry(
                    path: String($0.path.dropFirst(modelPath.count + 1)), sizeBytes: $0.sizeBytes, sha256: $0.sha256)
            }
            try ListedFiles.checkNothingElse(inside, besides: [], in: model)
        }
        guard let accelerator = Accelerator(rawValue: name) else {
            throw PocketClipError.model(.accelerator(asked: name, available: Accelerator.allCases.map(\.rawValue)))
        }
        return LoadRequest(
            model: model, modelSha256: FileEntry.hash(of: own), accelerator: accelerator, loadMode: loadMode)
    }

    private func samples(of input: InputFile, at url: URL) throws -> [Tensor] {
        guard let content = try? Data(contentsOf: url) else {
            throw PocketClipError.job(JobFailure(.badJob, "cannot read the input \"\(input.path)\"; copy it again"))
        }
        guard let tensor = Tensor(shape: input.shape, type: input.type, littleEndian: content), !input.shape.isEmpty
        else {
            throw PocketClipError.job(
                JobFailure(
                    .badJob,
                    "the input \"\(input.path)\" has \(content.count) bytes, which are not \(input.shape) of "
                        + input.type.rawValue))
        }
        guard tensor.isFinite else {
            throw PocketClipError.job(JobFailure(.badJob, "the input \"\(input.path)\" holds NaN or infinity"))
        }
        return tensor.samples
    }

    private func checkConditions() async throws {
        if machine.isDebugBuild {
            throw PocketClipError.job(
                JobFailure(.debuggable, "this app is a debug build, whose times mean little; build it in Release"))
        }
        let state = await machine.state()
        if let status = state.thermalStatus, status > Self.hottest {
            throw PocketClipError.job(
                JobFailure(
                    .thermal, "thermal state \(status), at most \(Self.hottest) wanted; let the device cool down"))
        }
        if let percent = state.batteryPercent, percent < Self.lowestBattery, state.charging != true {
            throw PocketClipError.job(
                JobFailure(
                    .lowBattery, "battery at \(percent) %, at least \(Self.lowestBattery) wanted; charge the device"))
        }
        if state.powerSaver == true {
            throw PocketClipError.job(JobFailure(.powerSaver, "the device saves power; turn Low Power Mode off"))
        }
    }
}
