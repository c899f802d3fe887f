import Foundation
import PocketClipCore
import PocketClipScreens
import SwiftUI

/// The photos that were found last, by whatever way.
struct FoundPhotosView: View {
    let model: SearchModel
    let source: (any PhotoSource)?

    var body: some View {
        ScrollView {
            switch model.found {
            case .nothing:
                EmptyView()
            case .bySentence(let hits):
                grid(of: hits)
            case .similar(_, let hits):
                Text(hits.isEmpty ? "No photos are similar to it." : "Similar photos").foregroundStyle(.secondary)
                grid(of: hits)
            case .comparing(let share):
                ProgressView(value: share) { Text("Comparing the photos") }
                Button("Stop", role: .cancel) { model.cancelComparing() }
            case .duplicates(let groups):
                if groups.isEmpty {
                    Text("No two photos look the same.").foregroundStyle(.secondary)
                }
                ForEach(groups) { group in
                    Text("\(group.photos.count) photos look the same").foregroundStyle(.secondary)
                    LazyVGrid(columns: columns) {
                        ForEach(group.photos) { tile(of: $0, cosine: nil) }
                    }
                }
            }
        }
    }

    private var columns: [GridItem] { [GridItem(.adaptive(minimum: 100))] }

    private func grid(of hits: [SearchHit]) -> some View {
        LazyVGrid(columns: columns) {
            ForEach(hits) { tile(of: $0.photo, cosine: $0.cosine) }
        }
    }

    private func tile(of photo: PhotoReference, cosine: Double?) -> some View {
        PhotoTile(photo: photo, cosine: cosine, source: source) {
            Task { await model.findSimilar(to: photo) }
        }
    }
}

/// One photo with what is known of it, and the way to photos like it.
private struct PhotoTile: View {
    let photo: PhotoReference
    let cosine: Double?
    let source: (any PhotoSource)?
    let findSimilar: @MainActor () -> Void
    @State private var picture: Image?

    var body: some View {
        VStack {
            VStack {
                if let picture {
                    picture.resizable().scaledToFill().frame(width: 100, height: 100).clipped()
                } else {
                    ProgressView().frame(width: 100, height: 100)
                }
                if let name = photo.name {
                    Text(name).font(.caption)
                }
                if let cosine {
                    Text(cosine, format: .number.precision(.fractionLength(3)))
                        .font(.caption)
                        .monospacedDigit()
                }
            }
            .accessibilityElement(children: .ignore)
            .accessibilityLabel("\(title), \(similarity)")
            Button("Find similar", action: findSimilar)
                .font(.caption)
                .accessibilityLabel("Find photos similar to \(title)")
        }
        .task {
            if let image = try? await source?.image(of: photo) {
                picture = ImageDecoding.picture(of: image)
            }
        }
    }

    private var title: String {
        photo.name ?? String(localized: "Photo")
    }

    private var similarity: String {
        guard let cosine else { return String(localized: "looks the same as another") }
        let shown = cosine.formatted(.number.precision(.fractionLength(2)))
        return String(localized: "similarity \(shown)")
    }
}
