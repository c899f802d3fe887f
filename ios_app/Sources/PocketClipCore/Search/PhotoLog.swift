import Foundation

/// Reads the lines of an index's log piece by piece.
enum PhotoLog {
    private static let pieceBytes = 1 << 20
    private static let lineFeed = UInt8(ascii: "\n")

    /// Reads all whole lines; what stands behind the last was never written to its end.
    ///
    /// - Returns: the bytes of the whole lines.
    /// - Throws: `DocumentError` where a line has another form, `StorageError` where one is too long or cannot be read.
    static func read(_ file: URL, take: (PhotoLine) throws -> Void) throws -> Int {
        let name = file.lastPathComponent
        let handle: FileHandle
        do {
            handle = try FileHandle(forReadingFrom: file)
        } catch {
            throw PocketClipError.storage(.unreadable(path: name, reason: error.localizedDescription))
        }
        defer { try? handle.close() }
        var rest = Data()
        var wholeBytes = 0
        var lines = 0
        while true {
            let piece: Data
            do {
                piece = try handle.read(upToCount: pieceBytes) ?? Data()
            } catch {
                throw PocketClipError.storage(.unreadable(path: name, reason: error.localizedDescription))
            }
            guard !piece.isEmpty else { return wholeBytes }
            rest.append(piece)
            let taken = try rest.withUnsafeBytes { bytes in
                var start = 0
                while let length = bytes[start...].firstIndex(of: lineFeed).map({ $0 - start }) {
                    lines += 1
                    try checkLength(length, name, lines)
                    let text = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
                    try take(PhotoLine.read(text, source: "\(name), line \(lines)"))
                    start += length + 1
                }
                try checkLength(bytes.count - start, name, lines + 1)
                return start
            }
            wholeBytes += taken
            rest = Data(rest.dropFirst(taken))
        }
    }

    private static func checkLength(_ bytes: Int, _ name: String, _ line: Int) throws {
        guard bytes < PhotoLine.mostBytes else {
            throw PocketClipError.storage(
                .damaged(path: name, reason: "line \(line) is too long"))
        }
    }
}
