import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

final class RecordTests: XCTestCase {
    /// Writes records where `POCKETCLIP_RECORDS` says, for Python to hold against the schema.
    func testRecordsHaveTheFieldsOfTheGoldenOne() async throws {
        let temporary = try TemporaryFolder()
        let builder = try BundleBuilder(in: temporary.url, goldens: GoldenFiles.folder)
        try builder.write()
        let manifest = try ClipBundle(opening: builder.folder).manifest
        let samples = [Tensor(shape: [1, 3], values: .float32([1, 0, 1]))]
        let measured = try await Measurement(runtime: FakeRuntime(), machine: FakeMachine()).run(
            MeasurementRequest(
                load: LoadRequest(model: builder.folder, modelSha256: "0"), samples: samples, iterations: 3,
                sustainedSeconds: 0.01))
        let rows = measured.outputs.map(\.floats)
        let check = try XCTUnwrap(GoldenCheck(outputs: rows, reference: rows, exported: rows))
        var plain = measured.launch
        plain.minutes = []
        let facts = RuntimeFacts(
            name: "coreml", version: "Core ML, iOS 18.1", acceleratorRequested: "all",
            acceleratorObserved: "of 12 operations: neural engine 92 %, gpu 0 %, cpu 8 %")
        let artifact = ArtifactIdentity(.image, of: manifest)
        let record = BenchmarkRecord.measured(
            artifact: artifact, device: FakeMachine().facts, runtime: facts, settings: RunSettings(),
            launches: [plain], sustained: measured.launch, goldenCheck: check,
            preparation: Preparation(step: "preprocess", executedBy: "PocketClipCore", samplesNs: [5, 6]),
            toolVersion: "0.1.0")
        XCTAssertEqual(record.status, .measured)
        let failed = BenchmarkRecord.failed(
            artifact: artifact, device: FakeMachine().facts, runtime: facts, settings: RunSettings(),
            reason: "load-failed: it is no model", toolVersion: "0.1.0")
        let other = try XCTUnwrap(GoldenCheck(outputs: rows, reference: rows, exported: [[-1, 0, 0]]))
        let mismatch = BenchmarkRecord.measured(
            artifact: artifact, device: FakeMachine().facts, runtime: facts, settings: RunSettings(),
            launches: [plain], goldenCheck: other, preparation: nil, toolVersion: "0.1.0")
        XCTAssertEqual(mismatch.status, .failed)
        XCTAssertTrue(mismatch.reason?.hasPrefix("golden-mismatch: ") == true)
        let wanted = try GoldenFiles.json("protocol/record.json").shape
        XCTAssertEqual(wanted.subtracting(record.json.shape), [])
        if let folder = ProcessInfo.processInfo.environment["POCKETCLIP_RECORDS"] {
            let goal = URL(fileURLWithPath: folder).appendingPathComponent("records.json")
            try AtomicFile.write([record, failed, mismatch].json.text(indented: true), to: goal)
        }
    }

    func testNaNIsNeverWritten() {
        let fault = failure { _ = try JSONValue.object(["a": .array([.number(.nan)])]).text() }
        XCTAssertEqual(fault, .document(.nonFinite(place: "document.a[0]")))
    }

    func testGoldenChecksOfUnlikeShapes() {
        XCTAssertNil(GoldenCheck(outputs: [], reference: [], exported: []))
        XCTAssertNil(GoldenCheck(outputs: [[1]], reference: [[1, 2]], exported: [[1]]))
        let dead = GoldenCheck(outputs: [[0, 0]], reference: [[1, 0]], exported: [[1, 0]])
        XCTAssertEqual(dead?.cosineMin, 0, "a dead output never passes")
        XCTAssertNotNil(dead?.fault)
    }
}
