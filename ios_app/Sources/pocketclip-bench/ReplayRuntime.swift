import Foundation
import PocketClipCore

#if !canImport(CoreML)
    /// Gives the outputs that a reference executor computed before, for the inputs that it had: nothing runs here.
    ///
    /// Beside `NAME.mlpackage` or `NAME.aimodel` lies `NAME.replay.json`, or in a folder of replays one named for the hash over the
    /// model's files: `{"executed_by": text, "inputs_sha256": [one for each sample's little-endian values], "outputs":
    /// {"file": path beside it, "shape": [samples, values]}}`. It waits for nothing, so that its times mean nothing;
    /// the version of the runtime in results says so.
    struct ReplayRuntime: ModelRuntime {
        /// Replays for models that nothing may lie beside.
        let folder: URL?
        let name: String
        let version: String? = "replay of the reference executor"
        let accelerators: [Accelerator]
        let loadModes = [LoadMode.file]

        /// In the place of Core ML.
        static func coreML(folder: URL?) -> ReplayRuntime {
            ReplayRuntime(folder: folder, name: "coreml", accelerators: Accelerator.ofCoreML)
        }

        /// In the place of Core AI.
        static func coreAI(folder: URL?) -> ReplayRuntime {
            ReplayRuntime(folder: folder, name: "coreai", accelerators: Specialization.allCases.map(\.accelerator))
        }

        func prepare(_ request: LoadRequest) async throws {}

        func isFirstLoad(_ request: LoadRequest) -> Bool? {
            !FileManager.default.fileExists(atPath: note(request).path)
        }

        func load(_ request: LoadRequest) async throws -> sending any ModelSession {
            let own = folder?.appendingPathComponent("\(request.modelSha256).replay.json")
            let beside = request.model.deletingPathExtension().appendingPathExtension("replay.json")
            let file = try ReplayFile(at: own ?? beside, for: request.model)
            try AtomicFile.write(Data(), to: note(request))
            return ReplaySession(file)
        }

        /// Stands for the system's caches, in which a model that was loaded before is ready.
        private func note(_ request: LoadRequest) -> URL {
            let name = "\(request.modelSha256)-\(request.accelerator.rawValue).loaded"
            return (folder ?? request.model.deletingLastPathComponent()).appendingPathComponent(name)
        }
    }

    private struct ReplayFile: JSONReadable {
        let executedBy: String
        let inputsSha256: [String]
        let outputs: StoredOutputs
        private(set) var rows: [Tensor] = []

        init(at path: URL, for model: URL) throws {
            guard FileManager.default.fileExists(atPath: model.path) else {
                throw PocketClipError.model(.load(path: model.lastPathComponent, reason: "there is no such model"))
            }
            guard let content = try? Data(contentsOf: path) else {
                throw PocketClipError.model(
                    .load(path: model.lastPathComponent, reason: "there is no \(path.lastPathComponent)"))
            }
            do {
                try self.init(parsing: content, source: path.lastPathComponent)
            } catch let error as PocketClipError {
                throw PocketClipError.model(.load(path: model.lastPathComponent, reason: error.message))
            }
            let stored = try? Data(contentsOf: path.deletingLastPathComponent().appendingPathComponent(outputs.file))
            guard let stored, outputs.shape.first == inputsSha256.count,
                let tensor = Tensor(shape: outputs.shape, type: .float32, littleEndian: stored)
            else {
                throw PocketClipError.model(
                    .load(
                        path: model.lastPathComponent, reason: "\(outputs.file) does not hold \(outputs.shape) floats"))
            }
            rows = tensor.samples
        }

        init(json: JSONValue, at place: String) throws {
            executedBy = try String(json: Self.field("executed_by", of: json), at: "\(place).executed_by")
            inputsSha256 = try [String](json: Self.field("inputs_sha256", of: json), at: "\(place).inputs_sha256")
            outputs = try StoredOutputs(json: Self.field("outputs", of: json), at: "\(place).outputs")
        }

        static func field(_ name: String, of json: JSONValue) -> JSONValue {
            guard case .object(let fields) = json else { return .null }
            return fields[name] ?? .null
        }
    }

    private struct StoredOutputs: JSONReadable {
        let file: String
        let shape: [Int]

        init(json: JSONValue, at place: String) throws {
            file = try String(json: ReplayFile.field("file", of: json), at: "\(place).file")
            shape = try [Int](json: ReplayFile.field("shape", of: json), at: "\(place).shape")
        }
    }

    private struct ReplaySession: ModelSession {
        private let outputs: [String: Tensor]

        init(_ file: ReplayFile) {
            outputs = Dictionary(zip(file.inputsSha256, file.rows)) { first, _ in first }
        }

        func observedAccelerator() async -> String? { nil }

        func bind(_ input: Tensor) throws -> any BoundInput {
            guard let output = outputs[SHA256Digest.hex(of: input.littleEndian)] else {
                throw PocketClipError.model(.inference(reason: "nothing was recorded for this input"))
            }
            return ReplayedInput(output: output)
        }
    }

    private struct ReplayedInput: BoundInput {
        let output: Tensor

        func run(isolation: isolated (any Actor)?) async throws -> Tensor { output }
    }
#endif
