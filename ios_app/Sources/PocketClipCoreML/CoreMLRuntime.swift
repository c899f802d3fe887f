#if canImport(CoreML)
    import CoreML
    import Foundation
    import PocketClipCore

    /// Core ML. Packages are compiled once and kept, by the hash of their files.
    public struct CoreMLRuntime: ModelRuntime {
        public let name = "coreml"
        public let accelerators = Accelerator.ofCoreML
        public let loadModes = [LoadMode.file]
        private let cache: CompiledModels

        /// - Parameter folder: where compiled models are kept; the system may empty it.
        public init(folder: URL = CompiledModels.standardFolder) {
            cache = CompiledModels(folder: folder)
        }

        /// Core ML has the version of the system that it is part of.
        public var version: String? { "Core ML, \(AppleSystem.platform)" }

        /// Compiles the package where that was not done before.
        public func prepare(_ request: LoadRequest) async throws {
            _ = try await cache.compiled(request)
        }

        public func isFirstLoad(_ request: LoadRequest) -> Bool? { !cache.notes.has(.loaded, request) }

        /// The first load after a compilation prepares the model for the Neural Engine; later ones find that done.
        public func load(_ request: LoadRequest) async throws -> sending any ModelSession {
            let url = try await cache.compiled(request)
            do {
                let model = try await MLModel.load(contentsOf: url, configuration: configuration(request.accelerator))
                cache.notes.set(.loaded, request)
                return try CoreMLSession(model, compiledAt: url, accelerator: request.accelerator)
            } catch let error as PocketClipError {
                throw error
            } catch {
                throw PocketClipError.model(
                    .load(path: request.model.lastPathComponent, reason: error.localizedDescription))
            }
        }
    }

    func configuration(_ accelerator: Accelerator) -> MLModelConfiguration {
        let configuration = MLModelConfiguration()
        configuration.computeUnits =
            switch accelerator {
            // Those of Core AI are refused before.
            case .all, .gpu, .neuralEngine: .all
            case .cpuAndNeuralEngine: .cpuAndNeuralEngine
            case .cpuAndGPU: .cpuAndGPU
            case .cpu: .cpuOnly
            }
        return configuration
    }

    /// A loaded model with one input and one output. `MLModel` may be used by one task at a time, and so may this.
    final class CoreMLSession: ModelSession {
        private let model: MLModel
        private let compiledAt: URL
        private let accelerator: Accelerator
        private let inputName: String
        private let inputShape: [Int]
        private let outputName: String

        init(_ model: MLModel, compiledAt: URL, accelerator: Accelerator) throws {
            let inputs = model.modelDescription.inputDescriptionsByName
            let outputs = model.modelDescription.outputDescriptionsByName
            guard inputs.count == 1, outputs.count == 1, let input = inputs.first, let output = outputs.first,
                let constraint = input.value.multiArrayConstraint
            else {
                throw PocketClipError.model(
                    .load(
                        path: compiledAt.lastPathComponent,
                        reason: "it has \(inputs.count) inputs and \(outputs.count) outputs, not one array each"))
            }
            self.model = model
            self.compiledAt = compiledAt
            self.accelerator = accelerator
            inputName = input.key
            inputShape = constraint.shape.map(\.intValue)
            outputName = output.key
        }

        func observedAccelerator() async -> String? {
            guard #available(iOS 17.4, macOS 14.4, *) else { return nil }
            return await OperationPlacement.of(compiledAt, accelerator)?.worded
        }

        func bind(_ input: Tensor) throws -> any BoundInput {
            guard input.shape == inputShape else {
                throw PocketClipError.model(.shape(found: input.shape, wanted: inputShape))
            }
            let array: MLMultiArray
            switch input.values {
            case .float32(let values):
                array = MLMultiArray(MLShapedArray<Float>(scalars: values, shape: input.shape))
            case .int32(let values):
                array = MLMultiArray(MLShapedArray<Int32>(scalars: values, shape: input.shape))
            case .uint8, .uint16:
                throw PocketClipError.model(
                    .inference(reason: "Core ML arrays hold float32 and int32, not \(input.type.rawValue)"))
            }
            let features = try MLDictionaryFeatureProvider(dictionary: [
                inputName: MLFeatureValue(multiArray: array)
            ])
            return CoreMLInput(model: model, features: features, outputName: outputName)
        }
    }

    private struct CoreMLInput: BoundInput {
        let model: MLModel
        let features: MLDictionaryFeatureProvider
        let outputName: String

        func run(isolation: isolated (any Actor)?) async throws -> Tensor {
            // What Core ML leaves to be freed later must not add up over a measurement.
            try autoreleasepool {
                let outputs: any MLFeatureProvider
                do {
                    outputs = try model.prediction(from: features)
                } catch {
                    throw PocketClipError.model(.inference(reason: error.localizedDescription))
                }
                guard let array = outputs.featureValue(for: outputName)?.multiArrayValue else {
                    throw PocketClipError.model(.inference(reason: "there is no output \"\(outputName)\""))
                }
                // Rows may be padded in memory: a shaped array gives the values alone.
                let values = MLShapedArray<Float>(converting: array).scalars
                return Tensor(shape: array.shape.map(\.intValue), values: .float32(values))
            }
        }
    }
#endif
