import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

/// Bundles that hold Core ML and Core AI: which of them runs, and what is said of the others.
final class VariantTests: XCTestCase {
    private static let newest = SystemVersion(name: "iOS", major: 27)
    private static let wrong = "coreai fp16, default: its values are wrong on this device (golden outputs: cosine"
    private var temporary: TemporaryFolder!
    private var builder: BundleBuilder!

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
        builder = try BundleBuilder(in: temporary.url, goldens: GoldenFiles.folder)
        builder.addVariants()
        try builder.write()
    }

    override func tearDown() {
        builder = nil
        temporary = nil
    }

    func testTheFirstSpecialisationThatRunsRightIsTaken() async throws {
        let choice = try await choose(coreAI: .coreAI())
        XCTAssertEqual(choice.way.name, "coreai fp16, default")
        XCTAssertEqual(choice.refused, [])
        let second = try await choose(coreAI: .coreAI([.all: .otherModel]))
        XCTAssertEqual(second.way.name, "coreai fp16, prefer-gpu")
        XCTAssertEqual(second.refused.count, 1)
        XCTAssertTrue(words(second)[0].hasPrefix(Self.wrong), "\(words(second))")
    }

    func testCoreMLRunsWhereNoSpecialisationDoes() async throws {
        let choice = try await choose(coreAI: .coreAI([.all: .nonFinite, .gpu: .load]))
        XCTAssertEqual(choice.way.name, "coreml fp16, all")
        XCTAssertNil(choice.way.specialization)
        XCTAssertEqual(choice.refused.map(\.way.specialization), [.standard, .preferGPU])
        XCTAssertTrue(words(choice)[0].contains("holds NaN or infinity"), "\(words(choice))")
        XCTAssertTrue(words(choice)[1].contains("it is no model"), "\(words(choice))")
    }

    func testOlderSystemsKeepCoreMLAndSaySo() async throws {
        let older = try await choose(coreAI: .coreAI(), system: SystemVersion(name: "iOS", major: 26, minor: 2))
        XCTAssertEqual(older.way.name, "coreml fp16, all")
        XCTAssertEqual(
            words(older),
            ["default", "prefer-gpu"].map { "coreai fp16, \($0): it needs iOS 27, this is iOS 26.2" })
        let without = try await choose(coreAI: MissingRuntime(name: "coreai", reason: "an older Xcode built this app"))
        XCTAssertEqual(without.way.name, "coreml fp16, all")
        XCTAssertTrue(words(without)[0].contains("coreai is not here: an older Xcode built this app"))
        let none = try await choose(coreAI: nil)
        XCTAssertTrue(words(none)[0].contains("needs the runtime coreai, this app has coreml"), "\(words(none))")
    }

    func testAnAcceleratorThatIsAskedForRunsTheTowerItself() async throws {
        let opener = try opener(coreAI: .coreAI())
        let (choice, _) = try await opener.open(.image, .cpu)
        XCTAssertEqual(choice.way.name, "coreml fp16, cpu")
        XCTAssertEqual(choice.refused, [])
    }

    func testASpecialisationThatEndedTheAppTwiceIsNotTriedAgain() async throws {
        let notes = LoadNotes(folder: temporary.url.appendingPathComponent("notes"), system: Self.newest)
        let bundle = try ClipBundle(opening: builder.folder)
        let request = TowerWay.ofVariants(.image, bundle.manifest)[0].request(in: bundle)
        // An app that ends in a trial leaves its note.
        notes.set(.trying, request)
        let again = try await choose(coreAI: .coreAI())
        XCTAssertEqual(again.way.name, "coreai fp16, default", "somebody may have closed it")
        XCTAssertFalse(notes.has(.trying, request) || notes.has(.tryingAgain, request), "a trial that ends leaves none")
        notes.set(.trying, request)
        notes.set(.tryingAgain, request)
        let choice = try await choose(coreAI: .coreAI())
        XCTAssertEqual(choice.way.name, "coreai fp16, prefer-gpu")
        XCTAssertEqual(words(choice), ["coreai fp16, default: the app ended twice while it was tried"])
        // Another system may run it right.
        let newer = LoadNotes(folder: notes.folder, system: SystemVersion(name: "iOS", major: 27, minor: 1))
        XCTAssertFalse(newer.has(.tryingAgain, request))
    }

    func testACancelledTrialIsNoRefusal() async throws {
        let opener = try opener(coreAI: FakeRuntime(name: "coreai", accelerators: [.all, .gpu], delay: .seconds(60)))
        let task = Task { try await opener.open(.image).0 }
        task.cancel()
        do {
            _ = try await task.value
            XCTFail("it went on")
        } catch {
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
    }

    func testTheEngineRunsTheVariantAndTellsWhich() async throws {
        let bundle = try ClipBundle(opening: builder.folder)
        let runtimes: [any ModelRuntime] = [FakeRuntime(.inference), FakeRuntime.coreAI()]
        let engine = try ClipEngine(bundle, runtimes: runtimes, opener: opener(runtimes))
        let image = try bundle.image(bundle.manifest.endToEnd.images[0])
        let found = try await engine.classify(image, labels: BundleBuilder.labels)
        let golden = try XCTUnwrap(bundle.manifest.endToEnd.images[0].ranking)
        XCTAssertEqual(found.guesses.map(\.label), golden.places.map { BundleBuilder.labels[$0] })
        let choice = try await engine.choice(.image)
        XCTAssertEqual(choice.way.model.target, "coreai")
        let plain = try ClipEngine(ClipBundle(opening: builder.folder), runtimes: runtimes)
        XCTAssertEqual(plain.origin, engine.origin, "photographs that were indexed stay found, whatever runs")
    }

    func testWhatTwoNeedAtOnceIsTriedOnce() async throws {
        let bundle = try ClipBundle(opening: builder.folder)
        let notes = LoadNotes(folder: temporary.url.appendingPathComponent("notes"), system: Self.newest)
        let request = TowerWay.ofVariants(.image, bundle.manifest)[0].request(in: bundle)
        let coreAI = FakeRuntime(name: "coreai", accelerators: [.all, .gpu], delay: .milliseconds(500))
        let runtimes: [any ModelRuntime] = [FakeRuntime(), coreAI]
        let engine = try ClipEngine(bundle, runtimes: runtimes, opener: opener(runtimes))
        let first = Task { try await engine.choice(.image) }
        for _ in 0..<400 where !notes.has(.trying, request) {
            try await Task.sleep(for: .milliseconds(1))
        }
        XCTAssertTrue(notes.has(.trying, request))
        let second = Task { try await engine.choice(.image) }
        try await Task.sleep(for: .milliseconds(50))
        XCTAssertFalse(notes.has(.tryingAgain, request), "the app did not end")
        let (one, other) = (try await first.value, try await second.value)
        XCTAssertEqual(one, other)
        XCTAssertEqual(one.way.name, "coreai fp16, default")
    }

    func testTheSelfTestRunsEverySpecialisation() async throws {
        let bundle = try ClipBundle(opening: builder.folder)
        let sound = try await SelfTest(
            bundle, runtimes: [FakeRuntime(), FakeRuntime.coreAI()], system: Self.newest
        ).run()
        XCTAssertTrue(sound.passed, "\(sound.checks.filter { !$0.passed })")
        let parts = ["image", "text"].flatMap { ["\($0) coreai default", "\($0) coreai prefer-gpu"] }
        XCTAssertEqual(Set(sound.checks.map(\.part)), Set(["image", "text", "labels"] + parts))
        XCTAssertEqual(sound.variants.map(\.name), parts)
        let faults: [Accelerator: FakeRuntime.Fault] = [.all: .otherModel, .gpu: .load]
        let wrong = try await SelfTest(
            bundle, runtimes: [FakeRuntime(), FakeRuntime.coreAI(faults)], system: Self.newest
        ).run()
        XCTAssertEqual(
            Set(wrong.checks.filter { !$0.passed }.map(\.part)), ["image coreai default", "text coreai default"])
        XCTAssertEqual(wrong.variants.filter { $0.notRun != nil }.map(\.specialization), [.preferGPU, .preferGPU])
        let older = try await SelfTest(
            bundle, runtimes: [FakeRuntime(), FakeRuntime.coreAI()], system: SystemVersion(name: "iOS", major: 18)
        ).run()
        XCTAssertTrue(older.passed)
        XCTAssertEqual(Set(older.variants.map(\.notRun)), ["it needs iOS 27, this is iOS 18.0"])
    }

    func testManifestsThatLie() throws {
        for (key, value, words) in [
            ("target", "onnx", "of another target than coreai"), ("minimum_ios", .null, "from which system on"),
            ("specializations", [], "no specialisation"), ("specializations", ["default", "default"], "twice"),
            ("specializations", ["fastest"], "one of default, prefer-gpu, prefer-npu, cpu-only wanted"),
            ("entry_point", "../../x.aimodel", "leaves the folder"), ("tower", "text", "two variants"),
            ("entry_point", "image/model.mlpackage", "two models lie in one folder"),
            ("artifact_sha256", "x", "64 hex digits"), ("normalized", true, "raw embeddings"),
            ("soc", "A19", "field soc"),
        ] as [(String, JSONValue, String)] {
            assertFault(words) { manifest in
                guard case .array(var variants)? = manifest["variants"], case .object(var first) = variants[0] else {
                    return XCTFail("no variants")
                }
                first[key] = value
                variants[0] = .object(first)
                manifest["variants"] = .array(variants)
            }
        }
        assertFault("variants belong to schema 3") { $0["schema_version"] = 1 }
        assertFault("variants belong to schema 3") { $0["variants"] = [] }
        assertFault("variants for Snapdragon's NPU") { $0["schema_version"] = 2 }
        assertFault("schema version 4; this app reads up to 3") { $0["schema_version"] = 4 }
        assertFault("is not for those before") { manifest in
            guard case .object(var image)? = manifest["image"] else { return XCTFail("no tower") }
            image["runtime"] = "coreai"
            manifest["image"] = .object(image)
        }
    }

    private func assertFault(
        _ words: String, line: UInt = #line, _ change: (inout [String: JSONValue]) -> Void
    ) {
        do {
            try builder.write()
            var manifest = try builder.readManifest()
            change(&manifest)
            try builder.writeManifest(.object(manifest))
        } catch {
            return XCTFail("\(error)", line: line)
        }
        let fault = failure { _ = try ClipBundle(opening: builder.folder) }
        XCTAssertTrue(fault?.message.contains(words) == true, "\(words): \(String(describing: fault))", line: line)
    }

    private func opener(_ runtimes: [any ModelRuntime], system: SystemVersion = newest) throws -> TowerOpener {
        TowerOpener(
            try ClipBundle(opening: builder.folder), runtimes: runtimes, system: system,
            notes: LoadNotes(folder: temporary.url.appendingPathComponent("notes"), system: system))
    }

    private func opener(coreAI: FakeRuntime) throws -> TowerOpener {
        try opener([FakeRuntime(), coreAI])
    }

    private func choose(
        coreAI: (any ModelRuntime)?, system: SystemVersion = newest
    ) async throws -> TowerChoice {
        try await opener([FakeRuntime()] + [coreAI].compactMap(\.self), system: system).open(.image).0
    }

    private func choose(coreAI: FakeRuntime, system: SystemVersion = newest) async throws -> TowerChoice {
        try await choose(coreAI: coreAI as any ModelRuntime, system: system)
    }

    private func words(_ choice: TowerChoice) -> [String] {
        choice.refused.map { "\($0.way.name): \($0.reason)" }
    }
}
