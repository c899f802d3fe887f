import Foundation
import PhotosUI
import PocketClipCore
import PocketClipScreens
import SwiftUI

/// What does this image show? Ranks labels for a picked photograph or for what the camera sees.
struct TryView: View {
    @Bindable var model: TryModel
    @State private var picked: PhotosPickerItem?
    @State private var thumbnail: Image?
    @State private var camera = CameraFeed()
    @State private var typing: Task<Void, Never>?

    var body: some View {
        NavigationStack {
            List {
                Section {
                    preview
                    PhotosPicker("Choose a photo", selection: $picked, matching: .images)
                    if model.isLive {
                        Button("Take this picture") { takePicture() }
                        Button("Stop the camera") { stopCamera() }
                    } else {
                        Button("Use the camera") { startCamera() }
                    }
                }
                Section("Labels") {
                    TextField("Labels, with commas between them", text: $model.labelText, axis: .vertical)
                    if let fault = model.labelFault {
                        Text(fault).foregroundStyle(.red)
                    }
                    Button("Use the bundle's labels") { model.useStoredLabels() }
                }
                Section("Result") { result }
            }
            .navigationTitle("Try")
            .onChange(of: picked) { load(picked) }
            .onChange(of: model.labels) { classifyAgain() }
            .onDisappear { stopCamera() }
        }
    }

    @ViewBuilder private var preview: some View {
        if model.isLive {
            CameraPreview(camera: camera)
                .frame(height: 260)
                .accessibilityLabel("What the camera sees")
            Text("\(TryModel.imagesPerSecond) images a second at most")
            if let rate = model.liveRate {
                Text("\(rate, specifier: "%.1f") images a second")
                    .monospacedDigit()
            }
        } else if let thumbnail {
            thumbnail
                .resizable()
                .scaledToFit()
                .frame(height: 260)
                .accessibilityLabel("The chosen photo")
        }
    }

    @ViewBuilder private var result: some View {
        switch model.state {
        case .empty:
            Text("Choose a photo, or use the camera.").foregroundStyle(.secondary)
        case .working:
            ProgressView("Looking")
        case .failed(let message):
            Text(message).foregroundStyle(.red)
        case .result(let found):
            ForEach(found.guesses.prefix(10)) { GuessRow(guess: $0) }
            LabeledContent("Image tower", value: Measured.milliseconds(found.image.inferenceNs))
            LabeledContent("Preparing the image", value: Measured.milliseconds(found.image.preparationNs))
            if let text = found.textInferenceNs {
                LabeledContent("Text tower, each prompt", value: Measured.milliseconds(text))
            } else {
                LabeledContent("Text tower", value: String(localized: "not needed, labels are known"))
            }
        }
    }

    private func load(_ item: PhotosPickerItem?) {
        guard let item else { return }
        stopCamera()
        Task {
            do {
                guard let content = try await item.loadTransferable(type: Data.self) else {
                    throw PocketClipError.image(.undecodable(name: "the photo", reason: "it has no content"))
                }
                let image = try await ImageDecoding.decoded(content, named: "the photo")
                thumbnail = ImageDecoding.picture(of: image)
                await model.choose(image)
            } catch {
                model.show(failure: error)
            }
        }
    }

    /// Ranks the labels that are there when nothing more is typed.
    private func classifyAgain() {
        typing?.cancel()
        typing = Task {
            try? await Task.sleep(for: .milliseconds(300))
            if !Task.isCancelled {
                await model.classify()
            }
        }
    }

    private func startCamera() {
        thumbnail = nil
        model.startLive()
        Task {
            do {
                try await camera.start()
                // It may have been stopped while the system asked for permission.
                guard model.isLive else { return camera.stop() }
                for await frame in camera.frames() {
                    await model.frame(frame)
                }
            } catch {
                model.stopLive()
                model.show(failure: error)
            }
        }
    }

    private func takePicture() {
        thumbnail = model.takePicture().flatMap(ImageDecoding.picture)
        camera.stop()
    }

    private func stopCamera() {
        model.stopLive()
        camera.stop()
    }
}

/// A label with a bar as long as it is probable.
private struct GuessRow: View {
    let guess: Guess

    var body: some View {
        VStack(alignment: .leading) {
            HStack {
                Text(guess.label)
                Spacer()
                Text(guess.probability, format: .percent.precision(.fractionLength(1)))
                    .monospacedDigit()
            }
            ProgressView(value: guess.probability)
                .accessibilityHidden(true)
        }
        .accessibilityElement(children: .combine)
    }
}
