#if canImport(CoreAI)
    import CoreAI
    import Foundation
    import PocketClipCore

    /// Core AI. Assets are specialised for the device once; Core AI keeps what that gave, and this asks it for nothing else.
    ///
    /// Core AI's cache knows an asset by its file and the options. The system empties it when it is updated, when storage is
    /// short, and when the asset goes. So `prepare` looks before it specialises, and takes next to no time where the cache
    /// has the entry.
    @available(iOS 27, macOS 27, *)
    public struct CoreAIRuntime: ModelRuntime {
        /// Notes lie below the caches, as what they tell of.
        public static var standardFolder: URL {
            AppFolders.caches.appendingPathComponent("SpecializedModels", isDirectory: true)
        }

        public let name = CoreAISupport.name
        public let loadModes = [LoadMode.file]
        private let notes: LoadNotes

        /// - Parameter folder: where it is noted what was loaded before; the system may empty it.
        public init(folder: URL = CoreAIRuntime.standardFolder) {
            notes = LoadNotes(folder: folder)
        }

        /// Core AI has the version of the system that it is part of.
        public var version: String? { "Core AI, \(SystemVersion.current.worded)" }

        /// A specialisation that prefers a unit, only where the device has it.
        public var accelerators: [Accelerator] {
            let available = ComputeUnitKind.availableKinds
            return Specialization.allCases.filter { specialization in
                switch specialization {
                case .standard, .cpuOnly: true
                case .preferGPU: available.contains(.gpu)
                case .preferNeuralEngine: available.contains(.neuralEngine)
                }
            }.map(\.accelerator)
        }

        /// Specialises the asset where Core AI's cache does not have it.
        public func prepare(_ request: LoadRequest) async throws {
            let options = try options(request)
            if (try? AIModelCache.default.model(for: request.model, options: options)) != nil {
                return
            }
            // An entry that is there and cannot be loaded would be found again.
            try? AIModelCache.default.deleteEntry(for: request.model, options: options)
            notes.remove(.loaded, request)
            do {
                try await AIModel.specialize(contentsOf: request.model, options: options)
            } catch {
                throw failure(request, error)
            }
        }

        public func isFirstLoad(_ request: LoadRequest) -> Bool? { !notes.has(.loaded, request) }

        /// The weights belong to a model's function, so that loading both is the load.
        public func load(_ request: LoadRequest) async throws -> sending any ModelSession {
            let options = try options(request)
            do {
                // Where the system emptied its cache since `prepare`, the model specialises itself.
                let model =
                    if let kept = try AIModelCache.default.model(for: request.model, options: options) {
                        kept
                    } else {
                        try await AIModel(contentsOf: request.model, options: options)
                    }
                let session = try CoreAISession(model, file: request.model.lastPathComponent)
                notes.set(.loaded, request)
                return session
            } catch let error as PocketClipError {
                throw error
            } catch {
                throw failure(request, error)
            }
        }

        private func options(_ request: LoadRequest) throws -> SpecializationOptions {
            guard let specialization = Specialization(request.accelerator) else {
                throw PocketClipError.model(
                    .accelerator(asked: request.accelerator.rawValue, available: accelerators.map(\.rawValue)))
            }
            return switch specialization {
            case .standard: .default
            case .cpuOnly: .cpuOnly
            case .preferGPU: SpecializationOptions(preferredComputeUnitKind: .gpu)
            case .preferNeuralEngine: SpecializationOptions(preferredComputeUnitKind: .neuralEngine)
            }
        }

        private func failure(_ request: LoadRequest, _ error: any Error) -> PocketClipError {
            .model(.load(path: request.model.lastPathComponent, reason: error.localizedDescription))
        }
    }

    /// A loaded function with one input and one output.
    @available(iOS 27, macOS 27, *)
    final class CoreAISession: ModelSession {
        private static let mainFunction = "main"

        private let function: InferenceFunction
        private let inputName: String
        private let input: NDArrayDescriptor
        private let outputName: String

        init(_ model: AIModel, file: String) throws {
            let names = model.functionNames
            let chosen = names.contains(Self.mainFunction) || names.count != 1 ? Self.mainFunction : names[0]
            guard let function = try model.loadFunction(named: chosen) else {
                throw PocketClipError.model(
                    .load(path: file, reason: "none of its \(names.count) functions is called \(Self.mainFunction)"))
            }
            let (inputs, outputs) = (function.descriptor.inputNames, function.descriptor.outputNames)
            guard inputs.count == 1, outputs.count == 1,
                case .ndArray(let input)? = function.descriptor.inputDescriptor(of: inputs[0])
            else {
                throw PocketClipError.model(
                    .load(
                        path: file,
                        reason: "it has \(inputs.count) inputs and \(outputs.count) outputs, not one array each"))
            }
            self.function = function
            self.input = input
            inputName = inputs[0]
            outputName = outputs[0]
        }

        /// No call of Apple's tells where a function ran, or will.
        func observedAccelerator() async -> String? { nil }

        func bind(_ input: Tensor) throws -> any BoundInput {
            guard input.shape == self.input.shape else {
                throw PocketClipError.model(.shape(found: input.shape, wanted: self.input.shape))
            }
            let array: NDArray
            switch (input.values, self.input.scalarType) {
            case (.float32(let values), .float32): array = NDArray(values, input.shape, .float32)
            case (.int32(let values), .int32): array = NDArray(values, input.shape, .int32)
            default:
                throw PocketClipError.model(
                    .inference(reason: "the asset takes \(self.input.scalarType), not \(input.type.rawValue)"))
            }
            return CoreAIInput(function: function, inputs: [inputName: array], outputName: outputName)
        }
    }

    @available(iOS 27, macOS 27, *)
    private struct CoreAIInput: BoundInput {
        let function: InferenceFunction
        let inputs: [String: NDArray]
        let outputName: String

        func run(isolation: isolated (any Actor)?) async throws -> Tensor {
            // Nobody writes to the arrays once they are bound, so that they may be read wherever the function runs.
            nonisolated(unsafe) let inputs = inputs
            return try await Self.infer(function, inputs, outputName)
        }

        private static func infer(
            _ function: InferenceFunction, _ inputs: [String: NDArray], _ outputName: String
        ) async throws -> Tensor {
            do {
                var outputs = try await function.run(inputs: inputs)
                guard let output = outputs.remove(outputName), let array = output.ndArray else {
                    throw PocketClipError.model(.inference(reason: "there is no output array \"\(outputName)\""))
                }
                return try array.tensor()
            } catch let error as PocketClipError {
                throw error
            } catch {
                throw PocketClipError.model(.inference(reason: error.localizedDescription))
            }
        }
    }
#endif
