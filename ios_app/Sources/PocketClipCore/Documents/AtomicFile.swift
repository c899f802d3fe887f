import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes that are either whole or absent: to a temporary name beside the goal, to the disk, then a rename.
public enum AtomicFile {
    /// Writes `data` to `url` so that a reader sees the old file or the whole new one.
    ///
    /// - Throws: `StorageError.full` or `.unwritable`.
    public static func write(_ data: Data, to url: URL) throws {
        let partial = url.appendingPathExtension("partial")
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            guard FileManager.default.createFile(atPath: partial.path, contents: nil) else {
                throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            }
            let file = try FileHandle(forWritingTo: partial)
            defer { try? file.close() }
            try file.write(contentsOf: data)
            try file.synchronize()
            guard rename(partial.path, url.path) == 0 else {
                throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
            }
        } catch {
            try? FileManager.default.removeItem(at: partial)
            throw worded(error, path: url.path)
        }
    }

    /// An error of the file system in our words.
    static func worded(_ error: any Error, path: String) -> PocketClipError {
        let found = error as NSError
        let underlying = found.userInfo[NSUnderlyingErrorKey] as? NSError
        let isFull =
            (found.domain == NSCocoaErrorDomain && found.code == CocoaError.Code.fileWriteOutOfSpace.rawValue)
            || [found, underlying].contains { $0?.domain == NSPOSIXErrorDomain && $0?.code == Int(ENOSPC) }
        return .storage(isFull ? .full(path: path) : .unwritable(path: path, reason: found.localizedDescription))
    }
}
