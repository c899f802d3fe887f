import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The files of an index: `index.json`, and of each generation its rows and its log.
struct GalleryFolder: Sendable {
    static let identityName = "index.json"
    private static let mostIdentityBytes = 1 << 20

    let url: URL

    init(_ url: URL) {
        self.url = url
    }

    var identity: URL { url.appendingPathComponent(Self.identityName) }

    func rows(_ generation: Int) -> URL {
        url.appendingPathComponent("rows-\(generation).f16")
    }

    func photos(_ generation: Int) -> URL {
        url.appendingPathComponent("photos-\(generation).jsonl")
    }

    /// A file's size; nil where there is none.
    ///
    /// - Throws: `StorageError.damaged` where something else has its name: a link, or what never ends.
    func size(of file: URL) throws -> Int? {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: file.path) else { return nil }
        guard attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? Int else {
            throw PocketClipError.storage(.damaged(path: file.lastPathComponent, reason: "it is no file"))
        }
        return size
    }

    /// Whose embeddings these are; nil where there is no index.
    func readIdentity() throws -> IndexIdentity? {
        guard let size = try size(of: identity) else { return nil }
        guard size <= Self.mostIdentityBytes else {
            throw PocketClipError.storage(.damaged(path: Self.identityName, reason: "it has \(size) bytes"))
        }
        return try IndexIdentity(parsing: read(identity), source: Self.identityName)
    }

    /// The content of a file; `mapped` into memory, where the system brings in what is read and takes back what is not.
    func read(_ file: URL, mapped: Bool = false) throws -> Data {
        do {
            return try Data(contentsOf: file, options: mapped ? .alwaysMapped : [])
        } catch {
            throw PocketClipError.storage(
                .unreadable(path: file.lastPathComponent, reason: error.localizedDescription))
        }
    }

    /// Opens a file for writing, made first where there is none.
    func open(_ file: URL) throws -> FileHandle {
        do {
            if !FileManager.default.fileExists(atPath: file.path),
                !FileManager.default.createFile(atPath: file.path, contents: nil)
            {
                throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            }
            return try FileHandle(forWritingTo: file)
        } catch {
            throw AtomicFile.worded(error, path: file.lastPathComponent)
        }
    }

    /// Shortens a file, where it is longer.
    func cut(_ file: URL, to size: Int) throws {
        guard let found = try self.size(of: file), found > size else { return }
        let handle = try open(file)
        defer { try? handle.close() }
        do {
            try handle.truncate(atOffset: UInt64(size))
        } catch {
            throw AtomicFile.worded(error, path: file.lastPathComponent)
        }
    }

    /// Removes rows and logs of generations that are not in use: a process that ended too early left them.
    func removeGenerations(besides generation: Int?) {
        let kept = generation.map { [rows($0).lastPathComponent, photos($0).lastPathComponent] } ?? []
        for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        where (name.hasPrefix("rows-") || name.hasPrefix("photos-")) && !kept.contains(name) {
            try? FileManager.default.removeItem(at: url.appendingPathComponent(name))
        }
    }

    /// Removes an index, what names its files first.
    func clear() {
        try? FileManager.default.removeItem(at: identity)
        removeGenerations(besides: nil)
    }
}

/// Keeps other writers away from an index for as long as it lives, as Python's do. The system lets go of it when the
/// process ends, by whatever way.
final class GalleryLock {
    private let file: FileHandle

    /// - Throws: `StorageError.busy` where there is another writer.
    init(_ folder: GalleryFolder) throws {
        file = try folder.open(folder.url.appendingPathComponent(".index.lock"))
        guard flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw PocketClipError.storage(.busy(path: folder.url.lastPathComponent))
        }
    }

    deinit {
        try? file.close()
    }
}
