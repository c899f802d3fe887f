import Foundation
import PocketClipCore
import PocketClipCoreML
import PocketClipScreens
import SwiftUI
import UIKit

/// The three screens of an open bundle, or what is in the way of one.
struct RootView: View {
    let bundle: BundleModel

    var body: some View {
        Group {
            switch bundle.state {
            case .absent:
                BundlePicker(bundle: bundle, message: nil)
            case .opening(let name):
                ProgressView("Checking \(name)")
            case .failed(let message):
                BundlePicker(bundle: bundle, message: message)
            case .ready:
                if let engine = bundle.engine {
                    // Another bundle has models, caches and states of its own.
                    Screens(bundle: bundle, engine: engine).id(engine.identity)
                }
            }
        }
        .task { await bundle.refresh() }
    }
}

private struct Screens: View {
    let bundle: BundleModel
    @State private var tryModel: TryModel
    @State private var searchModel: SearchModel
    @State private var measureModel: MeasureModel

    init(bundle: BundleModel, engine: ClipEngine) {
        self.bundle = bundle
        _tryModel = State(initialValue: TryModel(engine: engine))
        _searchModel = State(initialValue: SearchModel(engine: engine))
        _measureModel = State(
            initialValue: MeasureModel(
                bundle: engine.bundle, runtimes: appRuntimes, machine: AppleMachine()))
    }

    var body: some View {
        TabView {
            TryView(model: tryModel)
                .tabItem { Label("Try", systemImage: "camera.viewfinder") }
            SearchView(model: searchModel)
                .tabItem { Label("Search", systemImage: "magnifyingglass") }
            MeasureView(model: measureModel, bundle: bundle)
                .tabItem { Label("Measure", systemImage: "stopwatch") }
        }
        .onChange(of: isBusy, initial: true) { UIApplication.shared.isIdleTimerDisabled = isBusy }
        // Another bundle was opened: what this one is at would go on unseen.
        .onDisappear {
            searchModel.leave()
            measureModel.cancel()
            UIApplication.shared.isIdleTimerDisabled = false
        }
    }

    /// The system stops an app's work soon after the screen has gone dark.
    private var isBusy: Bool { searchModel.isBusy || measureModel.isBusy }
}

/// Asks for a bundle, and says why the last one cannot be used.
struct BundlePicker: View {
    let bundle: BundleModel
    let message: String?
    @State private var isPicking = false

    var body: some View {
        VStack(spacing: 16) {
            Image(systemName: "shippingbox")
                .font(.largeTitle)
                .accessibilityHidden(true)
            Text(
                "A bundle holds the model. Make one with pocketclip bundle from Core ML artefacts, and Core AI ones for iOS 27, and choose its folder."
            )
            .multilineTextAlignment(.center)
            if let message {
                Text(message)
                    .foregroundStyle(.red)
                    .multilineTextAlignment(.center)
            }
            Button("Choose a bundle") { isPicking = true }
                .buttonStyle(.borderedProminent)
            // One that cannot be used must not keep the others away.
            ForEach(bundle.names, id: \.self) { name in
                Button(name) { Task { await bundle.open(name) } }
            }
        }
        .padding()
        .importsBundle($isPicking, into: bundle)
    }
}

/// Which of the app's bundles is open, and how to open another.
struct BundleChoice: View {
    let bundle: BundleModel
    @State private var isPicking = false

    var body: some View {
        ForEach(bundle.names, id: \.self) { name in
            Button {
                Task { await bundle.open(name) }
            } label: {
                if bundle.state == .ready(name: name) {
                    Label(name, systemImage: "checkmark")
                } else {
                    Text(name)
                }
            }
            .disabled(bundle.state == .ready(name: name))
        }
        Button("Choose another bundle") { isPicking = true }
            .importsBundle($isPicking, into: bundle)
    }
}

extension View {
    /// Lets the user pick a bundle's folder, takes it in and opens it.
    fileprivate func importsBundle(_ isPicking: Binding<Bool>, into bundle: BundleModel) -> some View {
        fileImporter(isPresented: isPicking, allowedContentTypes: [.folder]) { result in
            guard case .success(let url) = result else { return }
            Task {
                let isScoped = url.startAccessingSecurityScopedResource()
                await bundle.add(from: url)
                if isScoped {
                    url.stopAccessingSecurityScopedResource()
                }
            }
        }
    }
}
