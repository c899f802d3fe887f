import PocketClipTestSupport
import XCTest

@testable import PocketClipCore

/// Bundles are read in the order of docs/bundles.md; whatever is wrong is found before anything is used.
final class BundleTests: XCTestCase {
    private var temporary: TemporaryFolder!
    private var builder: BundleBuilder!

    override func setUpWithError() throws {
        temporary = try TemporaryFolder()
        builder = try BundleBuilder(in: temporary.url, goldens: GoldenFiles.folder)
    }

    override func tearDown() {
        builder = nil
        temporary = nil
    }

    func testASoundBundleOpens() throws {
        try builder.write()
        let bundle = try ClipBundle(opening: builder.folder)
        XCTAssertEqual(bundle.manifest.labels?.names, BundleBuilder.labels)
        XCTAssertEqual(bundle.manifest.image.modelFiles(of: bundle.manifest).count, 2)
        // Finder leaves this in every folder that it shows.
        try Data().write(to: builder.folder.appendingPathComponent("image/.DS_Store"))
        XCTAssertNoThrow(try ClipBundle(opening: builder.folder))
    }

    func testNoBundle() {
        assertFault("make one with `pocketclip bundle`")
    }

    func testANewerSchemaIsRefusedBeforeItsFields() throws {
        try builder.write()
        try builder.writeManifest(["schema_version": 4, "what": "is this"])
        assertFault("update the app")
    }

    func testManifestsThatAreNone() throws {
        try builder.write()
        for (content, words) in [
            ("{", "is not JSON"), ("[]", "schema_version"), ("{\"schema_version\": true}", "schema_version"),
            ("{\"schema_version\": 0}", "schema_version"), ("{\"schema_version\": 1}", "lacks"),
        ] {
            try Data(content.utf8).write(to: builder.folder.appendingPathComponent("bundle.json"))
            assertFault(words)
        }
    }

    func testUnknownFieldsAndWrongTypes() throws {
        builder.manifest["surprise"] = 1
        try builder.write()
        assertFault("surprise")
        builder.manifest["surprise"] = nil
        builder.manifest["created_at"] = 5
        try builder.write()
        assertFault("created_at is 5, text wanted")
    }

    func testHostilePaths() throws {
        for (path, words) in [
            ("/etc/passwd", "absolute"), ("C:/x", "absolute"), ("../x", "leaves"), ("a/../../x", "leaves"),
            ("a\\..\\x", "leaves"), ("a//b", "letters"), ("", "letters"), ("a/./b", "letters"), (".hidden", "letters"),
            ("a b", "letters"), ("a\u{0}b", "letters"), ("é", "letters"), ("ab:c", "letters"), ("-rf", "letters"),
            (String(repeating: "a", count: 201), "longer"),
        ] {
            try builder.write()
            try addEntry(path: path)
            assertFault(words, path)
        }
    }

    func testPathsThatAreOneFileOnSomeSystems() throws {
        try builder.write()
        try addEntry(path: "LABELS.bin")
        assertFault("the same file")
    }

    func testLinks() throws {
        try builder.write()
        let file = builder.folder.appendingPathComponent("labels.bin")
        let aside = temporary.url.appendingPathComponent("labels.bin")
        try FileManager.default.moveItem(at: file, to: aside)
        try FileManager.default.createSymbolicLink(at: file, withDestinationURL: aside)
        assertFault("is a link")
        try FileManager.default.removeItem(at: file)
        try FileManager.default.moveItem(at: aside, to: file)
        let folder = builder.folder.appendingPathComponent("image")
        let other = temporary.url.appendingPathComponent("image")
        try FileManager.default.moveItem(at: folder, to: other)
        try FileManager.default.createSymbolicLink(at: folder, withDestinationURL: other)
        assertFault("is a link")
    }

    func testFilesThatAreMissingAlteredOrTooMany() throws {
        try builder.write()
        let weights = builder.folder.appendingPathComponent("text/model.mlpackage/Data/weights.bin")
        let sound = try Data(contentsOf: weights)
        try Data("Weights of text".utf8).write(to: weights)
        assertFault("was altered")
        try sound.dropLast().write(to: weights)
        assertFault("has 14 bytes, 15 wanted")
        try FileManager.default.removeItem(at: weights)
        assertFault("is missing")
        try FileManager.default.createDirectory(at: weights, withIntermediateDirectories: true)
        assertFault("is missing")
        try FileManager.default.removeItem(at: weights)
        try sound.write(to: weights)
        let extra = builder.folder.appendingPathComponent("text/model.mlpackage/Data/more.bin")
        try Data("x".utf8).write(to: extra)
        assertFault("more.bin\", which its manifest does not list")
    }

    func testTensorsThatAreNotFiniteOrOfAnotherSize() throws {
        builder.set(
            "labels.bin", Tensor(shape: [9], values: .float32([1, 0, 0, 0, .infinity, 0, 0, 0, 1])).littleEndian)
        try builder.write()
        assertFault("NaN or infinite")
        builder.set("labels.bin", Data(count: 35))
        try builder.write()
        assertFault("35 bytes")
    }

    func testPartsThatDoNotFit() throws {
        try assertUnfit(
            "templates", ["name": "t", "texts": ["no place"], "articles": "as-written"], "no place for the label")
        try assertUnfit("templates", ["name": "t", "texts": [], "articles": "as-written"], "no prompt templates")
        try assertUnfit(
            "preprocess",
            [
                "image_size": 5, "resize_mode": "shortest", "interpolation": "bilinear", "mean": [0, 0, 0],
                "std": [1, 1, 1],
            ], "its preprocessing makes")
        try assertUnfit(
            "preprocess",
            [
                "image_size": 4, "resize_mode": "shortest", "interpolation": "bilinear", "mean": [0, 0, 0],
                "std": [1, 0, 1],
            ], "positive std")
    }

    private func assertUnfit(_ key: String, _ value: JSONValue, _ words: String) throws {
        let sound = builder.manifest[key]
        builder.manifest[key] = value
        try builder.write()
        assertFault(words)
        builder.manifest[key] = sound
    }

    private func addEntry(path: String) throws {
        var manifest = try builder.readManifest()
        let entry: JSONValue = [
            "path": .string(path), "size_bytes": 0, "sha256": .string(String(repeating: "0", count: 64)),
        ]
        manifest["files"] = .array((manifest["files"]?.items ?? []) + [entry])
        try builder.writeManifest(.object(manifest))
    }

    private func assertFault(_ words: String, _ what: String = "", line: UInt = #line) {
        let fault = failure { _ = try ClipBundle(opening: builder.folder) }
        XCTAssertTrue(fault?.message.contains(words) == true, "\(what): \(String(describing: fault))", line: line)
    }
}
