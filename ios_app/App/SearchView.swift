import Foundation
import PhotosUI
import PocketClipCore
import PocketClipScreens
import SwiftUI

/// Finds photos by a sentence or by one of them, and duplicates among them.
struct SearchView: View {
    @Bindable var model: SearchModel
    @State private var picked: [PhotosPickerItem] = []
    @State private var isPickingPhotos = false
    @State private var isPickingFolder = false
    @State private var source: (any PhotoSource)?

    var body: some View {
        NavigationStack {
            VStack {
                status
                FoundPhotosView(model: model, source: source)
            }
            .padding(.horizontal)
            .navigationTitle("Search")
            .searchable(text: $model.sentence, prompt: "Describe a photo")
            .onSubmit(of: .search) { Task { await model.findBySentence() } }
            .toolbar {
                Menu("Photos", systemImage: "photo.on.rectangle") {
                    Button("Choose photos") { isPickingPhotos = true }
                    Button("Choose a folder") { isPickingFolder = true }
                }
            }
            // Not in the menu: it closes before a picker in it can open.
            .photosPicker(
                isPresented: $isPickingPhotos, selection: $picked, matching: .images, photoLibrary: .shared()
            )
            .onChange(of: picked) { choose(PickedPhotos(picked)) }
            .fileImporter(isPresented: $isPickingFolder, allowedContentTypes: [.folder]) { result in
                if case .success(let url) = result {
                    choose(FolderPhotos(url))
                }
            }
        }
    }

    @ViewBuilder private var status: some View {
        switch model.state {
        case .none:
            Text("Choose photos or a folder. Their embeddings stay on this device.").foregroundStyle(.secondary)
        case .indexing(let progress):
            ProgressView(value: Double(progress.done), total: Double(max(1, progress.total))) {
                Text("\(progress.done) of \(progress.total) photos")
            }
            Button("Pause") { model.cancel() }
        case .paused(let indexed):
            Text("Paused; \(indexed) photos can be found.")
            Button("Continue") { model.resume() }
        case .ready(let indexed, let skipped):
            Text("\(indexed) photos can be found.")
            if skipped > 0 {
                Text("\(skipped) could not be read.").foregroundStyle(.secondary)
            }
            HStack {
                Button("Look for new photos") { model.resume() }
                Button("Find duplicates") { model.findDuplicates() }
            }
        case .failed(let message):
            Text(message).foregroundStyle(.red)
            Button("Continue") { model.resume() }
        }
        if let fault = model.searchFault {
            Text(fault).foregroundStyle(.red)
        }
    }

    private func choose(_ chosen: any PhotoSource) {
        source = chosen
        model.choose(chosen)
    }
}
