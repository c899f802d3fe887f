import Foundation
import PocketClipCore

/// Measures one way to run a tower of a bundle with its golden inputs, and checks what it gave.
struct TowerMeasurement: Sendable {
    private static let preparations = 30

    let bundle: ClipBundle
    let runtimes: [any ModelRuntime]
    let machine: any Machine

    func run(_ way: TowerWay, _ settings: RunSettings) async throws -> MeasuredRow {
        let runtime = try way.runtime(among: runtimes)
        let request = MeasurementRequest(
            load: way.request(in: bundle), samples: try bundle.tensor(way.model.golden.inputs).samples,
            warmup: settings.warmup, iterations: settings.iterations, minimumSeconds: settings.minimumSeconds)
        let measured = try await Measurement(runtime: runtime, machine: machine).run(request)
        let record = try record(of: measured, way, settings, runtime)
        guard let latency = LatencySummary([measured.launch.steadyNs]) else {
            throw PocketClipError.model(.inference(reason: "there are no steady samples"))
        }
        return MeasuredRow(
            way: way, latency: latency, preparationNs: measured.launch.importNs,
            isFirstLoad: measured.launch.firstLoad, loadNs: measured.launch.loadNs,
            cachedLoadNs: measured.launch.reloadNs,
            firstInferenceNs: measured.launch.firstInferenceNs, peakBytes: measured.launch.peakOverBaselineBytes,
            thermalStatus: measured.launch.after?.thermalStatus, acceleratorObserved: measured.acceleratorObserved,
            invalid: record.invalid, record: record)
    }

    private func record(
        of measured: MeasuredLaunch, _ way: TowerWay, _ settings: RunSettings, _ runtime: any ModelRuntime
    ) throws -> BenchmarkRecord {
        let golden = way.model.golden
        let rows = try [golden.reference, golden.outputs].map { try bundle.tensor($0).samples.map(\.floats) }
        let outputs = measured.outputs.map(\.floats)
        guard let check = GoldenCheck(outputs: outputs, reference: rows[0], exported: rows[1]) else {
            throw PocketClipError.model(
                .shape(found: measured.outputs.first?.shape ?? [], wanted: [1, bundle.manifest.model.embeddingDim]))
        }
        return .measured(
            artifact: ArtifactIdentity(way.tower, way.model, of: bundle.manifest), device: machine.facts,
            runtime: RuntimeFacts(
                name: runtime.name, version: measured.runtimeVersion,
                acceleratorRequested: settings.accelerator.rawValue,
                acceleratorObserved: measured.acceleratorObserved),
            settings: settings, launches: [measured.launch], goldenCheck: check,
            preparation: try preparation(way), toolVersion: machine.appVersion ?? "unknown")
    }

    /// Times what comes before the model, with the bundle's photographs or sentences.
    private func preparation(_ way: TowerWay) throws -> Preparation {
        let end = bundle.manifest.endToEnd
        var taken: [Int] = []
        func time(_ action: () throws -> Void) rethrows {
            let started = Moments.monotonicNanoseconds()
            try action()
            taken.append(Moments.monotonicNanoseconds() - started)
        }
        switch way.tower {
        case .image:
            let preprocessor = ImagePreprocessor(bundle.manifest.preprocess, input: way.model.input)
            let images = try end.images.map { try bundle.image($0) }
            for place in 0..<Self.preparations {
                try time { _ = try preprocessor(images[place % images.count]) }
            }
            return Preparation(step: "preprocess", executedBy: "PocketClipCore", samplesNs: taken)
        case .text:
            let tokenizer = try Tokenizer(bundle)
            for place in 0..<Self.preparations {
                time { _ = tokenizer(end.sentences[place % end.sentences.count]) }
            }
            return Preparation(step: "tokenize", executedBy: "PocketClipCore", samplesNs: taken)
        }
    }
}
