import Foundation

/// Files that a manifest or a job lists, checked before anything reads them.
public enum ListedFiles {
    // Finder writes it into every folder that it shows.
    private static let ignored: Set<String> = [".DS_Store"]

    /// Checks paths, links, sizes and hashes, in this order.
    ///
    /// - Throws: `BundleError`, naming the first fault.
    public static func check(_ files: [FileEntry], in folder: URL) throws {
        var seen: [String: String] = [:]
        for entry in files {
            if let fault = SafePath.fault(of: entry.path) {
                throw PocketClipError.bundle(.hostilePath(path: entry.path, reason: fault))
            }
            guard BundleRanges.isHash(entry.sha256), entry.sizeBytes >= 0 else {
                throw PocketClipError.bundle(
                    .unfit(reason: "\"\(entry.path)\" is listed without a size and 64 hex digits of its hash"))
            }
            if let other = seen.updateValue(entry.path, forKey: entry.path.lowercased()) {
                throw PocketClipError.bundle(.samePath(first: other, second: entry.path))
            }
        }
        let places = try files.map { try SafePath.resolve($0.path, in: folder) }
        for (entry, place) in zip(files, places) {
            try checkContent(of: entry, at: place)
        }
    }

    /// Refuses files below `folder` that are not among `files`, links and what no program can read included.
    public static func checkNothingElse(_ files: [FileEntry], besides own: [String], in folder: URL) throws {
        let listed = Set(files.map(\.path) + own)
        let found = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
        for path in found where !listed.contains(path) {
            let place = folder.appendingPathComponent(path)
            let type = try FileManager.default.attributesOfItem(atPath: place.path)[.type] as? FileAttributeType
            if type != .typeDirectory, !ignored.contains(place.lastPathComponent) {
                throw PocketClipError.bundle(.unlisted(path: path))
            }
        }
    }

    private static func checkContent(of entry: FileEntry, at place: URL) throws {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: place.path),
            attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? Int
        else {
            throw PocketClipError.bundle(.missing(path: entry.path))
        }
        guard size == entry.sizeBytes else {
            throw PocketClipError.bundle(.size(path: entry.path, found: size, wanted: entry.sizeBytes))
        }
        guard try SHA256Digest.hex(ofFile: place) == entry.sha256 else {
            throw PocketClipError.bundle(.hash(path: entry.path))
        }
    }
}

extension FileEntry {
    /// One hash over paths and contents of all files, whatever their order.
    public static func hash(of files: [FileEntry]) -> String {
        // By bytes: Swift compares strings by canonical equivalence.
        let ordered = files.sorted { Array($0.path.utf8).lexicographicallyPrecedes(Array($1.path.utf8)) }
        return SHA256Digest.hex(of: Data(ordered.map { "\($0.path)\0\($0.sha256)\n" }.joined().utf8))
    }
}
