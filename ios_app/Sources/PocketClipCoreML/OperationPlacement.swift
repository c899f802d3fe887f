#if canImport(CoreML)
    import CoreML
    import Foundation
    import PocketClipCore

    /// Where Core ML means to run a program's operations, by its own plan (iOS 17.4). Constants do no work: left out.
    @available(iOS 17.4, macOS 14.4, *)
    struct OperationPlacement: Equatable, Sendable {
        var neuralEngine = 0
        var gpu = 0
        var cpu = 0
        /// Those that the plan says nothing of.
        var unknown = 0

        /// The plan of a compiled model; nil where there is none, e.g. of what is no ML program.
        static func of(_ compiled: URL, _ accelerator: Accelerator) async -> OperationPlacement? {
            let plan = try? await MLComputePlan.load(contentsOf: compiled, configuration: configuration(accelerator))
            guard let plan, case .program(let program) = plan.modelStructure else { return nil }
            var placement = OperationPlacement()
            for function in program.functions.values {
                placement.count(function.block, plan)
            }
            return placement
        }

        /// Shares of operations, e.g. `of 212 operations: neural engine 95 %, gpu 0 %, cpu 5 %`.
        var worded: String? {
            let all = neuralEngine + gpu + cpu + unknown
            guard all > 0 else { return nil }
            let shares = [("neural engine", neuralEngine), ("gpu", gpu), ("cpu", cpu), ("not told", unknown)]
                .filter { $0.0 != "not told" || $0.1 > 0 }
                .map { "\($0.0) \(Int((100 * Double($0.1) / Double(all)).rounded())) %" }
            return "of \(all) operations: \(shares.joined(separator: ", "))"
        }

        private mutating func count(_ block: MLModelStructure.Program.Block, _ plan: MLComputePlan) {
            for operation in block.operations {
                for inner in operation.blocks {
                    count(inner, plan)
                }
                guard operation.operatorName != "const" else { continue }
                switch plan.deviceUsage(for: operation)?.preferred {
                case .neuralEngine: neuralEngine += 1
                case .gpu: gpu += 1
                case .cpu: cpu += 1
                case nil: unknown += 1
                @unknown default: unknown += 1
                }
            }
        }
    }
#endif
