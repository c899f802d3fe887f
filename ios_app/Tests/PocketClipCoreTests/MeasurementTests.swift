import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class MeasurementTests: XCTestCase {
    private let samples = (1...3).map { Tensor(shape: [1, 3], values: .float32([Float($0), 0, 1])) }

    private func request(_ iterations: Int = 20, minimumSeconds: Double = 0, sustained: Double? = nil)
        -> MeasurementRequest
    {
        MeasurementRequest(
            load: LoadRequest(model: URL(fileURLWithPath: "/m"), modelSha256: "0"), samples: samples,
            iterations: iterations, minimumSeconds: minimumSeconds, sustainedSeconds: sustained)
    }

    func testALaunch() async throws {
        let measured = try await Measurement(runtime: FakeRuntime(), machine: FakeMachine()).run(request(20))
        let launch = measured.launch
        XCTAssertEqual(launch.steadyNs.count, 20)
        XCTAssertGreaterThanOrEqual(launch.warmupNs.count, 15)
        XCTAssertEqual(measured.outputs, samples.map(FakeRuntime.output))
        XCTAssertNotNil(launch.reloadNs)
        XCTAssertFalse(launch.during.isEmpty)
        XCTAssertEqual(launch.before?.batteryPercent, 80)
        XCTAssertNil(launch.peakOverBaselineBytes, "a peak that is older than the model is none of its own")
    }

    func testAtLeastSoLongAndSustained() async throws {
        let measured = try await Measurement(runtime: FakeRuntime(), machine: FakeMachine())
            .run(request(1, minimumSeconds: 0.02, sustained: 0.05))
        XCTAssertGreaterThanOrEqual(measured.launch.steadyNs.reduce(0, +), 20_000_000)
        XCTAssertEqual(measured.launch.minutes.count, 1)
    }

    func testFewIterationsStillMeetEverySample() async throws {
        var loop = InferenceLoop(samples.map { Echo(input: $0) })
        _ = try await loop.next()
        let outputs = try await loop.finishRound()
        XCTAssertEqual(outputs, samples)
    }

    func testWarmUpEndsWhenWindowsAgreeAndNotBefore() async throws {
        var steady = InferenceLoop([Echo(input: samples[0])])
        let loose = WarmupRule(windowIterations: 4, stableWindows: 2, tolerance: 1e9, minimumIterations: 10)
        let (taken, stationary) = try await steady.warmUp(loose)
        XCTAssertTrue(stationary)
        XCTAssertEqual(taken.count, 12, "whole windows, at least ten inferences")
        // Latency that doubles with every inference never settles.
        var growing = InferenceLoop([Growing(input: samples[0])])
        let (longer, settled) = try await growing.warmUp(WarmupRule(maximumIterations: 20))
        XCTAssertFalse(settled)
        XCTAssertEqual(longer.count, 20)
    }

    func testARunStaysWhereItsCallerIs() async throws {
        let input = Asynchronous(input: samples[0])
        var loop = InferenceLoop([input])
        _ = try await loop.next()
        XCTAssertFalse(input.wasIsolated, "a measurement belongs to no actor: nothing changes executors for it")
        let caller = Caller()
        let isItsOwn = try await caller.run(samples[0])
        XCTAssertTrue(isItsOwn, "an actor's session stays with it")
    }

    func testFailuresHaveTheCodesOfTheProtocol() async {
        for (fault, code) in [
            (FakeRuntime.Fault.load, FailureCode.loadFailed), (.inference, .inferenceFailed),
            (.nonFinite, .nonFiniteOutput),
        ] {
            do {
                _ = try await Measurement(runtime: FakeRuntime(fault), machine: FakeMachine()).run(request())
                XCTFail("\(code) was measured")
            } catch {
                XCTAssertEqual(JobFailure(error).code, code)
            }
        }
        do {
            _ = try await Measurement(runtime: FakeRuntime(accelerators: [.cpu]), machine: FakeMachine()).run(request())
            XCTFail("an accelerator that is not there was used")
        } catch {
            XCTAssertEqual(JobFailure(error).code, .acceleratorMissing)
        }
    }

    func testCancelling() async {
        let long = request(1, minimumSeconds: 60)
        let task = Task {
            try await Measurement(runtime: FakeRuntime(), machine: FakeMachine()).run(long)
        }
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError) }
    }

    func testResultsHaveTheFieldsOfTheGoldenOnes() async throws {
        let measured = try await Measurement(runtime: FakeRuntime(), machine: FakeMachine())
            .run(request(2, sustained: 0.01))
        var result = AgentResult(platform: "iOS 18.1", appVersion: "0.1.0")
        result.launch = measured.launch
        let folder = try TemporaryFolder()
        result.outputs = try OutputFile.write(
            measured.outputs, to: folder.url.appendingPathComponent("outputs.bin"), named: "outputs.bin")
        let wanted = try GoldenFiles.json("protocol/result.json").shape
        XCTAssertEqual(wanted.subtracting(result.json.shape), [])
        XCTAssertEqual(result.json.shape.subtracting(wanted).filter { !$0.hasPrefix("launch.minutes") }, [])
        var failed = AgentResult(platform: "iOS 18.1", appVersion: nil)
        failed.failure = JobFailure(.thermal, "too hot")
        XCTAssertEqual(failed.json.shape, try GoldenFiles.json("protocol/failed_result.json").shape)
    }

    func testJobs() throws {
        guard case .object(var fields) = try GoldenFiles.json("protocol/job.json") else { return XCTFail("job") }
        fields["action"] = "measure"
        fields["accelerator"] = "cpu+ane"
        fields["cores"] = .null
        fields["files"] = [["path": "m/model.mlpackage/a", "size_bytes": 1, "sha256": "00"]]
        guard case .measure(let job) = try HeadlessAction(parsing: JSONValue.object(fields).text()) else {
            return XCTFail("no measurement")
        }
        XCTAssertEqual(job.files.count, 1)
        XCTAssertEqual(job.warmup, WarmupRule())
        for (key, value, words) in [
            ("job_version", JSONValue.integer(2), "version 4, got 2"), ("iterations", 0, "at least one iteration"),
            ("cores", [0], "no cores"), ("surprise", 1, "surprise"), ("threads", "1", "a whole number wanted"),
            ("action", "stage", "\"facts\", \"measure\", \"throughput\" or \"arrange\""),
            ("load_mode", "magic", "one of file"),
        ] {
            var odd = fields
            odd[key] = value
            let fault = failure { _ = try HeadlessAction(parsing: JSONValue.object(odd).text()) }
            guard case .job(let failure) = fault else { return XCTFail("\(key) was taken") }
            XCTAssertEqual(failure.code, .badJob)
            XCTAssertTrue(failure.message.contains(words), "\(key): \(failure.message)")
        }
    }

    func testArranging() async throws {
        let folder = try TemporaryFolder()
        let place = { (name: String) in folder.url.appendingPathComponent(name) }
        let exists = { (name: String) in FileManager.default.fileExists(atPath: place(name).path) }
        let bench = HeadlessBench(
            documents: folder.url, runtimes: [FakeRuntime()], machine: FakeMachine(), decoder: FakePhotoDecoder()
        ) { _ in }
        func arrange(remove: [String], folders: [String] = []) async throws {
            let job: JSONValue = [
                "job_version": 4, "action": "arrange", "job_id": "a", "remove": remove.json, "folders": folders.json,
            ]
            try AtomicFile.write(job.text(), to: place("job.json"))
            try await bench.run()
        }
        try AtomicFile.write(Data("mine".utf8), to: place("holiday.txt"))
        try AtomicFile.write(Data("old".utf8), to: place("bench/old/model.bin"))
        try await arrange(remove: ["bench", "missing"], folders: ["bench/new/deep"])
        XCTAssertTrue(exists("bench/new/deep") && !exists("bench/old") && exists("holiday.txt"))
        XCTAssertNil(try failureCode(of: place("result.json")))
        try await arrange(remove: ["bench", "../outside"])
        XCTAssertTrue(exists("bench"), "nothing is removed before all paths are known to be safe")
        XCTAssertEqual(try failureCode(of: place("result.json")), "path-outside")
        // Its own answer last: none is left.
        try await arrange(remove: ["bench", "job.json", "result.json"])
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.url.path), ["holiday.txt"])
    }

    private func failureCode(of result: URL) throws -> String? {
        guard case .object(let fields) = try JSONValue(parsing: Data(contentsOf: result), source: "result"),
            case .object(let failure)? = fields["failure"], case .string(let code)? = failure["code"]
        else { return nil }
        return code
    }
}

/// Answers after it was suspended, as Core AI does.
private final class Asynchronous: BoundInput {
    let input: Tensor
    private(set) var wasIsolated = false
    private(set) var caller: (any Actor)?

    init(input: Tensor) {
        self.input = input
    }

    func run(isolation: isolated (any Actor)?) async throws -> Tensor {
        (wasIsolated, caller) = (isolation != nil, isolation)
        await Task.yield()
        return input
    }
}

private actor Caller {
    func run(_ sample: Tensor) async throws -> Bool {
        let input = Asynchronous(input: sample)
        _ = try await input.run()
        return input.caller === self
    }
}

private struct Echo: BoundInput {
    let input: Tensor
    func run(isolation: isolated (any Actor)?) async throws -> Tensor { input }
}

/// Each inference takes twice as long as the one before.
private final class Growing: BoundInput {
    private let input: Tensor
    private var microseconds: UInt32 = 1

    init(input: Tensor) {
        self.input = input
    }

    func run(isolation: isolated (any Actor)?) async throws -> Tensor {
        usleep(microseconds)
        microseconds = min(microseconds * 2, 20_000)
        return input
    }
}
