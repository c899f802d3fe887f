import Foundation
import PocketClipCore
import PocketClipScreens
import SwiftUI

/// How fast is it here? Measures the bundle's towers and shares the records.
struct MeasureView: View {
    @Bindable var model: MeasureModel
    let bundle: BundleModel
    @State private var records: URL?
    @State private var shareFault: String?

    var body: some View {
        NavigationStack {
            List {
                Section("What") {
                    ForEach(Tower.allCases, id: \.self) { tower in
                        Toggle(tower.title, isOn: contains(tower, in: $model.towers))
                    }
                    ForEach(model.available, id: \.self) { accelerator in
                        Toggle(accelerator.title, isOn: contains(accelerator, in: $model.accelerators))
                    }
                    Stepper(
                        "\(model.settings.iterations) inferences", value: $model.settings.iterations, in: 20...1000,
                        step: 20)
                }
                Section { control }
                ForEach(model.rows) { MeasuredSection(row: $0) }
                if !model.failures.isEmpty {
                    Section("Failed") {
                        ForEach(model.failures, id: \.self) { Text($0).foregroundStyle(.red) }
                    }
                }
                if !model.rows.isEmpty {
                    Section("Records") { share }
                }
                if !bundle.choices.isEmpty {
                    Section("What runs") { ForEach(bundle.choices, id: \.way.tower) { ChoiceView(choice: $0) } }
                }
                Section("Self-test") { SelfTestView(bundle: bundle) }
                Section("Bundle") { BundleChoice(bundle: bundle) }
            }
            .navigationTitle("Measure")
        }
    }

    @ViewBuilder private var control: some View {
        switch model.state {
        case .running(let step, let done, let total):
            ProgressView(value: Double(done), total: Double(total)) { Text(step) }
            Button("Stop", role: .cancel) { model.cancel() }
        case .failed(let message):
            Text(message).foregroundStyle(.red)
            Button("Measure") { start() }
        case .idle, .finished:
            Button("Measure") { start() }
        }
    }

    @ViewBuilder private var share: some View {
        if let records {
            ShareLink("Share the records", item: records)
        } else {
            Button("Prepare the records") {
                do {
                    records = try model.exportRecords()
                    shareFault = nil
                } catch {
                    shareFault = "\(error)"
                }
            }
        }
        if let shareFault {
            Text(shareFault).foregroundStyle(.red)
        }
    }

    private func start() {
        records = nil
        model.start()
    }

    private func contains<Value: Hashable>(_ value: Value, in set: Binding<Set<Value>>) -> Binding<Bool> {
        Binding(
            get: { set.wrappedValue.contains(value) },
            set: { isOn in
                if isOn {
                    set.wrappedValue.insert(value)
                } else {
                    set.wrappedValue.remove(value)
                }
            })
    }
}

/// What one tower took.
private struct MeasuredSection: View {
    let row: MeasuredRow

    var body: some View {
        Section("\(row.tower.title), \(row.way.model.target) \(row.way.model.precision), \(row.accelerator.title)") {
            LabeledContent("p50", value: Measured.milliseconds(row.latency.p50Ns))
            LabeledContent("p90", value: Measured.milliseconds(row.latency.p90Ns))
            LabeledContent("Compiling or specialising", value: Measured.milliseconds(row.preparationNs))
            LabeledContent(
                row.isFirstLoad == false ? "Load" : "First load", value: Measured.milliseconds(row.loadNs))
            if let cached = row.cachedLoadNs {
                LabeledContent("Cached load", value: Measured.milliseconds(cached))
            }
            LabeledContent("First inference", value: Measured.milliseconds(row.firstInferenceNs))
            LabeledContent("Memory at most", value: Measured.megabytes(row.peakBytes))
            LabeledContent("Thermal state", value: Measured.thermal(row.thermalStatus))
            if let observed = row.acceleratorObserved {
                LabeledContent("Where", value: observed)
            }
            ForEach(row.invalid, id: \.code) { each in
                Text("\(each.reason); \(each.fix)").foregroundStyle(.orange)
            }
        }
    }
}

/// Which way a tower runs, and why the ways before it were refused.
private struct ChoiceView: View {
    let choice: TowerChoice

    var body: some View {
        VStack(alignment: .leading) {
            Text("\(choice.way.tower.title): \(choice.way.name)")
            ForEach(choice.refused, id: \.way.name) { refused in
                Text("\(refused.way.name): \(refused.reason)")
                    .foregroundStyle(.orange)
            }
        }
    }
}

/// The bundle's own proof, run here.
private struct SelfTestView: View {
    let bundle: BundleModel

    var body: some View {
        switch bundle.selfTest {
        case .notRun:
            Button("Run the self-test") { Task { await bundle.runSelfTest() } }
        case .running:
            ProgressView("Testing")
        case .failed(let message):
            Text(message).foregroundStyle(.red)
        case .finished(let report):
            Label(
                report.passed ? "All \(report.checks.count) checks passed" : "Some checks failed",
                systemImage: report.passed ? "checkmark.circle" : "xmark.circle")
            ForEach(report.variants.filter { $0.notRun != nil }, id: \.name) { run in
                Text("\(run.name): not tested: \(run.notRun ?? "")")
                    .foregroundStyle(.orange)
            }
            ForEach(report.checks.filter { !$0.passed }) { check in
                VStack(alignment: .leading) {
                    Text("\(check.part): \(check.name)")
                    Text(check.note ?? "\(check.value ?? 0), \(check.limit.rawValue) \(check.bound) wanted")
                        .foregroundStyle(.red)
                }
            }
        }
    }
}

extension Tower {
    var title: String {
        switch self {
        case .image: String(localized: "Image tower")
        case .text: String(localized: "Text tower")
        }
    }
}

extension Accelerator {
    var title: String {
        switch self {
        case .all: String(localized: "All units")
        case .cpuAndNeuralEngine: String(localized: "CPU and Neural Engine")
        case .cpuAndGPU: String(localized: "CPU and GPU")
        case .cpu: String(localized: "CPU only")
        case .gpu: String(localized: "GPU preferred")
        case .neuralEngine: String(localized: "Neural Engine preferred")
        }
    }
}
