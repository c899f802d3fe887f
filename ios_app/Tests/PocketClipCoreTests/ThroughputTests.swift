import Foundation
import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class ThroughputTests: XCTestCase {
    private let folder = try! TemporaryFolder()
    private let preprocess = PreprocessSpec(imageSize: 4, mean: [0, 0, 0], std: [1, 1, 1])
    private let input = TensorSpec(
        name: "image", shape: [1, 3, 4, 4], dtype: "float32", layout: "NCHW", minimum: 0, maximum: 1)

    private func photos(_ contents: [String]) throws -> [PhotoFile] {
        try contents.enumerated().map { place, content in
            let url = folder.url.appendingPathComponent("\(place).jpg")
            try Data(content.utf8).write(to: url)
            return PhotoFile(name: "\(place).jpg", url: url)
        }
    }

    private func request(_ photos: [PhotoFile], decoders: Int = 2, seconds: Double = 0.05) -> ThroughputRequest {
        ThroughputRequest(
            load: LoadRequest(model: URL(fileURLWithPath: "/m"), modelSha256: "0"), photos: photos,
            preprocessor: ImagePreprocessor(preprocess, input: input), decoders: decoders, seconds: seconds,
            warmupPhotos: 1, stepPhotos: 3)
    }

    private func run(
        _ request: ThroughputRequest, fault: FakeRuntime.Fault = .none,
        decoder: any PhotoDecoder = FakePhotoDecoder()
    ) async throws -> MeasuredThroughput {
        try await Throughput(runtime: FakeRuntime(fault), machine: FakeMachine(), decoder: decoder).run(request)
    }

    func testPhotographsBecomeEmbeddings() async throws {
        for decoders in [1, 3, 20] {
            let measured = try await run(request(photos(["a", "b", "c"]), decoders: decoders))
            let launch = measured.launch
            XCTAssertGreaterThan(launch.photos, 0)
            XCTAssertGreaterThanOrEqual(launch.elapsedNs, 50_000_000)
            XCTAssertGreaterThan(min(launch.decodeNs, launch.resizeNs, launch.inferenceNs), 0)
            XCTAssertEqual(launch.before.batteryPercent, 80)
            XCTAssertEqual(launch.after?.thermalStatus, 0)
            XCTAssertEqual(launch.unreadable, 0)
            XCTAssertEqual(measured.runtimeVersion, "fake 1")
            XCTAssertEqual(measured.acceleratorObserved, "fake")
        }
    }

    func testPhotographsComeInOrderFromAsManyThreads() throws {
        let files = try photos((0..<26).map { String(UnicodeScalar(UInt8(97 + $0))) })
        let seen = Seen()
        let ahead = DecodedAhead(PhotoRotation(files), threads: 4) { photo in
            seen.add("\(ObjectIdentifier(Thread.current))")
            // The first ones take longest: order must not depend on it.
            usleep(photo.name.count == 5 ? 3000 : 500)
            return Tensor(shape: [1], values: .float32([Float(photo.name.dropLast(4))!]))
        }
        let found = try (0..<60).map { _ in try ahead.next().floats[0] }
        XCTAssertEqual(found, (0..<60).map { Float($0 % 26) })
        XCTAssertEqual(ahead.stop().unreadable, 0)
        XCTAssertEqual(seen.count, 4)
    }

    func testThreadsThatWaitForRoomAreEnded() throws {
        let files = try photos(["a", "b"])
        let made = Seen()
        let ahead = DecodedAhead(PhotoRotation(files), threads: 3) { _ in
            made.add(UUID().uuidString)
            return Tensor(shape: [1], values: .float32([1]))
        }
        _ = try ahead.next()
        // Nobody takes more: soon all are ready that may be, and each thread waits.
        while made.count < 9 {
            usleep(1000)
        }
        usleep(20_000)
        XCTAssertEqual(ahead.stop().unreadable, 0)
        XCTAssertEqual(made.count, 9)
    }

    func testWhatCannotBeDecodedIsLeftOut() async throws {
        let measured = try await run(request(photos((0..<9).map { $0 < 7 ? "damaged \($0)" : "good" })))
        XCTAssertEqual(measured.launch.unreadable, 7)
        XCTAssertEqual(measured.launch.firstUnreadable.map(\.name), (0..<5).map { "\($0).jpg" })
        XCTAssertTrue(measured.launch.firstUnreadable[0].reason.contains("it is damaged"))
        let long = try await run(request(photos(["damaged", "good"])), decoder: Wordy())
        XCTAssertEqual(long.launch.firstUnreadable.map(\.reason.count), [300])
    }

    func testWithoutAPhotographNothingIsMeasured() async throws {
        for decoder: any PhotoDecoder in [FakePhotoDecoder(), Tiring()] {
            do {
                let contents = decoder is Tiring ? ["a", "b"] : ["damaged", "damaged"]
                _ = try await run(request(photos(contents)), decoder: decoder)
                XCTFail("it was measured")
            } catch PocketClipError.job(let failure) {
                XCTAssertEqual(failure.code, .photosUnreadable)
                XCTAssertTrue(failure.message.hasPrefix("none of the 2 photographs can be decoded (first: 0.jpg: "))
            }
        }
    }

    func testFailuresEndIt() async throws {
        for fault in [FakeRuntime.Fault.load, .inference, .nonFinite] {
            do {
                _ = try await run(request(photos(["a"])), fault: fault)
                XCTFail("\(fault) was measured")
            } catch PocketClipError.model {}
        }
        var gone = try photos(["a", "b"])
        gone[1] = PhotoFile(name: "gone.jpg", url: folder.url.appendingPathComponent("gone.jpg"))
        do {
            _ = try await run(request(gone))
            XCTFail("a file that is gone was measured")
        } catch PocketClipError.storage(let error) {
            XCTAssertTrue(error.message.contains("gone.jpg"))
        }
    }

    func testJobsAndResultsAreThoseOfPython() throws {
        guard case .object(var fields) = try GoldenFiles.json("protocol/throughput_job.json") else {
            return XCTFail("job")
        }
        fields["action"] = "throughput"
        fields["files"] = [["path": "m/model.mlpackage/a", "size_bytes": 1, "sha256": "00"]]
        guard case .throughput(let job) = try HeadlessAction(parsing: JSONValue.object(fields).text()) else {
            return XCTFail("no throughput")
        }
        XCTAssertEqual([job.photos.count, job.threads, job.decoders, job.preprocess.imageSize], [2, 2, 3, 256])
        for (key, value, words) in [
            ("decoders", JSONValue.integer(0), "1 to 64 decoders"), ("decoders", 65, "1 to 64 decoders"),
            ("threads", 0, "at least one thread"), ("seconds", 4000, "at most 3600"), ("seconds", 0, "above 0"),
            ("step_photos", 0, "the steps of 1 to 1000"), ("warmup_photos", -1, "to warm up"),
            ("photos", [], "1 to 1024 photographs"), ("surprise", 1, "surprise"),
            (
                "photos", [["path": "a", "size_bytes": 1_000_000_000, "sha256": "00"]],
                "photographs of 128000000 bytes at most"
            ),
            (
                "preprocess",
                [
                    "image_size": 16_777_216, "resize_mode": "shortest", "interpolation": "bicubic",
                    "mean": [0, 0, 0], "std": [1, 1, 1],
                ], "an image_size of at most 4096"
            ),
            (
                "preprocess",
                [
                    "image_size": 64, "resize_mode": "shortest", "interpolation": "bicubic", "mean": [0, 0, 0],
                    "std": [1, 1, 1],
                ], "its preprocessing makes [1, 3, 64, 64]"
            ),
        ] {
            var odd = fields
            odd[key] = value
            let fault = failure { _ = try HeadlessAction(parsing: JSONValue.object(odd).text()) }
            guard case .job(let failure) = fault else { return XCTFail("\(key) was taken") }
            XCTAssertEqual(failure.code, .badJob)
            XCTAssertTrue(failure.message.contains(words), "\(key): \(failure.message)")
        }
        var result = AgentResult(platform: "iOS 18.1", appVersion: "0.1.0")
        var launch = ThroughputLaunch()
        launch.after = MachineState()
        launch.firstUnreadable = [UnreadablePhoto(name: "a", reason: "b")]
        result.throughput = launch
        XCTAssertEqual(result.json.shape, try GoldenFiles.json("protocol/throughput_result.json").shape)
    }
}

/// Counts different texts from several threads.
private final class Seen: @unchecked Sendable {
    private let lock = NSLock()
    private var texts: Set<String> = []

    var count: Int { lock.withLock { texts.count } }

    func add(_ text: String) {
        lock.withLock { _ = texts.insert(text) }
    }
}

/// Says a lot of what is damaged.
private struct Wordy: PhotoDecoder {
    func decode(_ content: Data, named name: String) throws -> PackedImage {
        do {
            return try FakePhotoDecoder().decode(content, named: name)
        } catch {
            throw PocketClipError.image(.undecodable(name: name, reason: String(repeating: "x", count: 5000)))
        }
    }
}

/// Decodes four photographs, which is enough for the steps, and then none any more.
private final class Tiring: PhotoDecoder, @unchecked Sendable {
    private let lock = NSLock()
    private var left = 4

    func decode(_ content: Data, named name: String) throws -> PackedImage {
        let isTired = lock.withLock { () -> Bool in
            left -= 1
            return left < 0
        }
        return try FakePhotoDecoder().decode(isTired ? Data("damaged".utf8) : content, named: name)
    }
}
