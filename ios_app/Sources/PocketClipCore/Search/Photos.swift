import Foundation

/// A photograph as its source names it. `version` changes when the photograph does, e.g. with its date.
public struct PhotoReference: Hashable, Sendable, Identifiable {
    public let id: String
    public let version: String
    /// What to show where the id says nothing to people; nil where the source has no better name.
    public let name: String?

    public init(id: String, version: String, name: String? = nil) {
        self.id = id
        self.version = version
        self.name = name
    }

    var key: PhotoKey { PhotoKey(id) }
}

/// Where photographs come from: a folder, a selection of the library.
public protocol PhotoSource: Sendable {
    /// A name by which the index of this source is kept.
    var name: String { get }

    /// All photographs there are now.
    func photos() async throws -> [PhotoReference]

    /// One of them, upright; a size that a model needs is enough.
    func image(of photo: PhotoReference) async throws -> PackedImage
}

/// A photograph with its cosine to what was searched for.
public struct SearchHit: Equatable, Sendable, Identifiable {
    public let photo: PhotoReference
    public let cosine: Double

    public var id: String { photo.id }

    public init(photo: PhotoReference, cosine: Double) {
        self.photo = photo
        self.cosine = cosine
    }
}

/// Photographs of which each resembles another, sorted by id, with the least cosine that joins two of them.
public struct SimilarGroup: Equatable, Sendable, Identifiable {
    /// The least cosine of two photographs that most people would call the same.
    public static let nearDuplicates = 0.98

    public let photos: [PhotoReference]
    public let cosine: Double

    public var id: String { photos[0].id }

    public init(photos: [PhotoReference], cosine: Double) {
        self.photos = photos
        self.cosine = cosine
    }
}

/// A photograph's id by its UTF-8 bytes, which sort as Python's text does. Swift takes the two ways to write "ä" for the
/// same text; file systems and the index do not.
struct PhotoKey: Hashable, Comparable, Sendable {
    let id: String

    init(_ id: String) {
        self.id = id
    }

    static func == (left: PhotoKey, right: PhotoKey) -> Bool {
        left.id.utf8.elementsEqual(right.id.utf8)
    }

    static func < (left: PhotoKey, right: PhotoKey) -> Bool {
        left.id.utf8.lexicographicallyPrecedes(right.id.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var id = id
        id.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
