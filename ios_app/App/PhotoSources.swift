import Foundation
import PhotosUI
import PocketClipCore
import SwiftUI

/// Photos that were picked from the library: the app sees these and no other.
struct PickedPhotos: PhotoSource {
    let name = "picked photos"
    private let items: [PhotosPickerItem]

    init(_ items: [PhotosPickerItem]) {
        self.items = items
    }

    func photos() async throws -> [PhotoReference] {
        // An identifier is the library's; without one, an item cannot be found again later. When a photo was changed, the
        // library tells only apps that may read all of it.
        items.compactMap { item in item.itemIdentifier.map { PhotoReference(id: $0, version: "") } }
    }

    func image(of photo: PhotoReference) async throws -> PackedImage {
        guard let item = items.first(where: { $0.itemIdentifier == photo.id }),
            let content = try await item.loadTransferable(type: Data.self)
        else {
            throw PocketClipError.image(.undecodable(name: photo.id, reason: "it is not among the picked photos"))
        }
        return try await ImageDecoding.decoded(content, named: photo.id)
    }
}

/// Image files of a folder that was picked in Files, with all folders in it.
struct FolderPhotos: PhotoSource {
    private static let extensions: Set<String> = ["jpg", "jpeg", "png", "heic", "heif", "webp", "gif", "tiff"]

    private let folder: URL

    init(_ folder: URL) {
        self.folder = folder
    }

    var name: String { "folder \(folder.path)" }

    func photos() async throws -> [PhotoReference] {
        try withAccess {
            let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
            return try paths.compactMap { path in
                let url = folder.appendingPathComponent(path)
                guard Self.extensions.contains(url.pathExtension.lowercased()) else { return nil }
                let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
                let changed = (attributes[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                return PhotoReference(id: path, version: "\(changed)", name: url.lastPathComponent)
            }
        }
    }

    func image(of photo: PhotoReference) async throws -> PackedImage {
        let content = try withAccess { try Data(contentsOf: folder.appendingPathComponent(photo.id)) }
        return try await ImageDecoding.decoded(content, named: photo.id)
    }

    /// Folders of other apps may be read between these two calls alone.
    private func withAccess<Value>(_ action: () throws -> Value) rethrows -> Value {
        let isScoped = folder.startAccessingSecurityScopedResource()
        defer {
            if isScoped {
                folder.stopAccessingSecurityScopedResource()
            }
        }
        return try action()
    }
}
