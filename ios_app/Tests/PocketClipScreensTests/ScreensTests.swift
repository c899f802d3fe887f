import PocketClipCore
import PocketClipTestSupport
import XCTest

@testable import PocketClipScreens

/// The screens' states, driven as the views drive them.
@MainActor
final class ScreensTests: XCTestCase {
    private static let goldens = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("tests/app_golden", isDirectory: true)

    private func bundleFolder(in temporary: TemporaryFolder) throws -> URL {
        let builder = try BundleBuilder(in: temporary.url, goldens: Self.goldens)
        try builder.write()
        return builder.folder
    }

    func testBundles() async throws {
        let temporary = try TemporaryFolder()
        let source = try bundleFolder(in: temporary)
        let documents = temporary.url.appendingPathComponent("Documents")
        try FileManager.default.createDirectory(at: documents, withIntermediateDirectories: true)
        let library = BundleLibrary(folder: documents, memory: temporary.url.appendingPathComponent("opened"))
        let model = BundleModel(library: library, runtimes: [FakeRuntime()])
        await model.refresh()
        XCTAssertEqual(model.state, .absent)
        await model.add(from: source)
        XCTAssertEqual(model.state, .ready(name: "clip.bundle"))
        XCTAssertEqual(model.names, ["clip.bundle"])
        await model.runSelfTest()
        guard case .finished(let report) = model.selfTest else { return XCTFail("\(model.selfTest)") }
        XCTAssertTrue(report.passed)
        // What is damaged is neither copied nor opened.
        try Data("x".utf8).write(to: source.appendingPathComponent("labels.bin"))
        await model.add(from: source)
        guard case .failed(let message) = model.state else { return XCTFail("\(model.state)") }
        XCTAssertTrue(message.contains("labels.bin"), message)
        await model.open("clip.bundle")
        XCTAssertEqual(model.state, .ready(name: "clip.bundle"))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: documents.path), ["clip.bundle"])
    }

    func testTheBundleOfTheLastTimeIsOpened() async throws {
        let temporary = try TemporaryFolder()
        let source = try bundleFolder(in: temporary)
        let documents = temporary.url.appendingPathComponent("Documents")
        let library = BundleLibrary(folder: documents, memory: temporary.url.appendingPathComponent("opened"))
        for name in ["a.bundle", "b.bundle", "c.bundle"] {
            try FileManager.default.createDirectory(at: documents, withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: source, to: documents.appendingPathComponent(name))
        }
        let first = BundleModel(library: library, runtimes: [FakeRuntime()])
        await first.refresh()
        XCTAssertEqual(first.state, .ready(name: "a.bundle"))
        await first.open("b.bundle")
        // One that cannot be opened is not what the next start begins with.
        try Data("x".utf8).write(to: documents.appendingPathComponent("c.bundle/labels.bin"))
        await first.open("c.bundle")
        let next = BundleModel(library: library, runtimes: [FakeRuntime()])
        await next.refresh()
        XCTAssertEqual(next.state, .ready(name: "b.bundle"))
        try FileManager.default.removeItem(at: documents.appendingPathComponent("b.bundle"))
        XCTAssertEqual(library.preferred(), "a.bundle")
    }

    func testABundleOfAnotherRuntime() async throws {
        let temporary = try TemporaryFolder()
        _ = try bundleFolder(in: temporary)
        let library = BundleLibrary(folder: temporary.url, memory: temporary.url.appendingPathComponent("opened"))
        let model = BundleModel(library: library, runtimes: [])
        await model.refresh()
        guard case .failed(let message) = model.state else { return XCTFail("\(model.state)") }
        XCTAssertTrue(message.contains("--target coreml"), message)
    }

    func testTrying() async throws {
        let engine = ScriptedEngine()
        let model = TryModel(engine: engine)
        XCTAssertEqual(model.labels, ["a cat", "a dog"])
        XCTAssertEqual(model.state, .empty)
        await model.choose(try grey())
        guard case .result(let first) = model.state else { return XCTFail("\(model.state)") }
        XCTAssertEqual(first.guesses.map(\.label), ["a cat", "a dog"])
        model.labelText = "a cow, a cow"
        XCTAssertTrue(model.labelFault?.contains("more than once") == true)
        await model.classify()
        XCTAssertEqual(model.state, .empty)
        model.labelText = "a cow"
        XCTAssertNil(model.labelFault)
        await engine.fail(.model(.nonFinite(output: 0, sample: nil)))
        await model.classify()
        guard case .failed(let message) = model.state else { return XCTFail("\(model.state)") }
        XCTAssertTrue(message.contains("NaN"), message)
        model.useStoredLabels()
        XCTAssertEqual(model.labels, ["a cat", "a dog"])
    }

    func testAClassificationThatIsCancelledIsNoFailure() async throws {
        let engine = ScriptedEngine()
        let model = TryModel(engine: engine)
        await model.choose(try grey())
        await engine.wait(milliseconds: 60_000)
        let task = Task { await model.classify() }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        await task.value
        XCTAssertEqual(model.state, .working, "whoever cancelled it begins anew")
    }

    func testTheCamera() async throws {
        let engine = ScriptedEngine()
        let clock = Clock()
        let model = TryModel(engine: engine, clockNs: { clock.now })
        await model.frame(try grey())
        XCTAssertEqual(model.state, .empty, "the camera does not run")
        await model.choose(try grey())
        model.startLive()
        XCTAssertEqual(model.state, .empty, "the photograph before is left")
        // A camera of 30 images a second, of which five are looked at.
        for place in 0...60 {
            clock.now = place * 1_000_000_000 / 30
            await model.frame(try grey())
        }
        let looked = await engine.classified - 1
        XCTAssertEqual(looked, 11, "in two seconds, the first one included")
        XCTAssertEqual(try XCTUnwrap(model.liveRate), 5, accuracy: 0.2)
        // An image that comes while another is worked on is dropped.
        await engine.wait(milliseconds: 5)
        clock.now += 1_000_000_000
        let before = await engine.classified
        let image = try grey()
        async let one: Void = model.frame(image)
        async let two: Void = model.frame(image)
        _ = await (one, two)
        let after = await engine.classified
        XCTAssertEqual(after, before + 1)
        XCTAssertEqual(model.takePicture(), image)
        XCTAssertFalse(model.isLive)
        guard case .result = model.state else { return XCTFail("what was found in the picture stays: \(model.state)") }
        model.startLive()
        XCTAssertNil(model.takePicture(), "nothing was seen yet")
        model.startLive()
        await engine.fail(.model(.inference(reason: "gone")))
        await model.frame(try grey())
        XCTAssertFalse(model.isLive)
        XCTAssertNil(model.liveRate)
    }

    func testMeasuring() async throws {
        let temporary = try TemporaryFolder()
        let bundle = try ClipBundle(opening: bundleFolder(in: temporary))
        let model = MeasureModel(
            bundle: bundle, runtimes: [FakeRuntime(accelerators: [.all, .cpu])], machine: FakeMachine())
        XCTAssertEqual(model.available, [.all, .cpu])
        model.settings.iterations = 5
        model.accelerators = [.all, .cpu, .cpuAndGPU]
        model.start()
        await model.finish()
        XCTAssertEqual(model.state, .finished)
        XCTAssertEqual(
            model.rows.map(\.id), ["image-coreml-all", "image-coreml-cpu", "text-coreml-all", "text-coreml-cpu"])
        XCTAssertEqual(model.rows.map(\.record.status), [.measured, .measured, .measured, .measured])
        XCTAssertEqual(model.rows[0].latency.samples, 5)
        let file = try model.exportRecords()
        let records = try JSONValue(parsing: Data(contentsOf: file), source: "records")
        guard case .array(let all) = records else { return XCTFail("no list") }
        XCTAssertEqual(all.count, 4)
        if let folder = ProcessInfo.processInfo.environment["POCKETCLIP_RECORDS"] {
            let goal = URL(fileURLWithPath: folder).appendingPathComponent("measured.json")
            try AtomicFile.write(Data(contentsOf: file), to: goal)
        }
    }

    func testABundleWithCoreAIToo() async throws {
        let temporary = try TemporaryFolder()
        var builder = try BundleBuilder(in: temporary.url, goldens: Self.goldens)
        builder.addVariants()
        try builder.write()
        let runtimes: [any ModelRuntime] = [FakeRuntime(), FakeRuntime.coreAI([.all: .load])]
        let library = BundleLibrary(folder: temporary.url, memory: temporary.url.appendingPathComponent("memory"))
        let bundle = BundleModel(library: library, runtimes: runtimes)
        await bundle.refresh()
        // Tried and told as soon as the bundle is open.
        XCTAssertEqual(bundle.choices.map(\.way.name), ["coreai fp16, prefer-gpu", "coreai fp16, prefer-gpu"])
        XCTAssertEqual(bundle.choices.map { $0.refused.map(\.way.specialization) }, [[.standard], [.standard]])
        let engine = try XCTUnwrap(bundle.engine)
        let model = MeasureModel(bundle: engine.bundle, runtimes: runtimes, machine: FakeMachine())
        model.settings.iterations = 2
        model.towers = [.image]
        model.accelerators = [.gpu, .all]
        model.start()
        await model.finish()
        XCTAssertEqual(model.rows.map(\.id), ["image-coreai-gpu", "image-coreml-all"])
        XCTAssertEqual(model.rows.map(\.record.runtime.name), ["coreai", "coreml"])
        XCTAssertEqual(model.rows.map(\.record.artifact.target), ["coreai", "coreml"])
        XCTAssertEqual(model.failures.count, 1)
        XCTAssertTrue(model.failures[0].hasPrefix("image tower, coreai on all: cannot load"), model.failures[0])
    }

    func testMeasuringWhatFails() async throws {
        let temporary = try TemporaryFolder()
        let bundle = try ClipBundle(opening: bundleFolder(in: temporary))
        let broken = MeasureModel(bundle: bundle, runtimes: [FakeRuntime(.load)], machine: FakeMachine())
        broken.start()
        await broken.finish()
        guard case .failed(let message) = broken.state else { return XCTFail("\(broken.state)") }
        XCTAssertTrue(message.contains("image tower, coreml on all") && message.contains("it is no model"), message)
        let other = MeasureModel(bundle: bundle, runtimes: [FakeRuntime(.otherModel)], machine: FakeMachine())
        other.settings.iterations = 1
        other.start()
        await other.finish()
        XCTAssertEqual(other.rows.map(\.record.status), [.failed, .failed])
        XCTAssertTrue(other.rows[0].record.reason?.contains("golden-mismatch") == true)
        let slow = MeasureModel(
            bundle: bundle, runtimes: [FakeRuntime(delay: .seconds(60))], machine: FakeMachine())
        slow.start()
        try await Task.sleep(for: .milliseconds(20))
        XCTAssertTrue(slow.isBusy)
        slow.cancel()
        await slow.finish()
        XCTAssertEqual(slow.state, .idle)
        XCTAssertFalse(slow.isBusy)
        slow.towers = []
        slow.start()
        guard case .failed(let words) = slow.state else { return XCTFail("\(slow.state)") }
        XCTAssertTrue(words.contains("choose"), words)
    }

    private func grey() throws -> PackedImage {
        try PackedImage(width: 4, height: 4, bytes: [UInt8](repeating: 9, count: 48))
    }
}

@MainActor
private final class Clock {
    var now = 0
}
