import Foundation

/// The bundles that the app has: folders of its Documents.
public struct BundleLibrary: Sendable {
    public let folder: URL
    private let memory: URL

    /// - Parameters:
    ///   - folder: of the bundles.
    ///   - memory: a file that keeps which one was opened last.
    public init(
        folder: URL = AppFolders.documents, memory: URL = AppFolders.support.appendingPathComponent("opened-bundle")
    ) {
        self.folder = folder
        self.memory = memory
    }

    /// The bundle that was opened last, where it is still there; else the first.
    public func preferred() -> String? {
        let all = names()
        let last = try? String(contentsOf: memory, encoding: .utf8)
        return all.first { $0 == last } ?? all.first
    }

    /// Remembers a bundle that could be opened. Where that fails, the next start opens another: no more is lost.
    public func remember(_ name: String) {
        try? AtomicFile.write(Data(name.utf8), to: memory)
    }

    /// Names of folders that hold a manifest, in alphabetical order; nothing of them has been checked.
    public func names() -> [String] {
        let found = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return found.sorted().filter { name in
            let manifest = folder.appendingPathComponent(name).appendingPathComponent(BundleManifest.fileName)
            return FileManager.default.fileExists(atPath: manifest.path)
        }
    }

    /// Opens a bundle by its folder's name, with every check.
    public func open(_ name: String) throws -> ClipBundle {
        try ClipBundle(opening: folder.appendingPathComponent(name, isDirectory: true))
    }

    /// Copies a bundle in, once it passed every check; one of the same name is replaced.
    ///
    /// - Returns: its name.
    public func add(from source: URL) throws -> String {
        _ = try ClipBundle(opening: source)
        let name = source.lastPathComponent
        let goal = folder.appendingPathComponent(name, isDirectory: true)
        let partial = folder.appendingPathComponent(".\(name).partial", isDirectory: true)
        do {
            try? FileManager.default.removeItem(at: partial)
            try FileManager.default.copyItem(at: source, to: partial)
            if FileManager.default.fileExists(atPath: goal.path) {
                try FileManager.default.removeItem(at: goal)
            }
            try FileManager.default.moveItem(at: partial, to: goal)
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw AtomicFile.worded(error, path: name)
        }
        return name
    }
}
