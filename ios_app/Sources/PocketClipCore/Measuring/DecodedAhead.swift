import Foundation

/// A photograph's file, with its name in messages.
public struct PhotoFile: Hashable, Sendable {
    public let name: String
    public let url: URL

    public init(name: String, url: URL) {
        self.name = name
        self.url = url
    }
}

/// The photographs in turn, without end, those left out that cannot be decoded.
struct PhotoRotation {
    static let mostNamed = 5
    private static let longestReason = 300

    private let photos: [PhotoFile]
    private var place = 0
    private var reasons: [PhotoFile: String] = [:]
    private var leftOut: [PhotoFile] = []

    init(_ photos: [PhotoFile]) {
        self.photos = photos
    }

    /// Photographs that were left out.
    var unreadable: Int { leftOut.count }
    var isEmpty: Bool { leftOut.count == photos.count }

    /// Some of those that were left out.
    var firstUnreadable: [UnreadablePhoto] {
        leftOut.prefix(Self.mostNamed).map { UnreadablePhoto(name: $0.name, reason: reasons[$0] ?? "") }
    }

    /// Why nothing is left.
    var failure: PocketClipError {
        let first = firstUnreadable.first.map { " (first: \($0.name): \($0.reason))" } ?? ""
        return .job(
            JobFailure(.photosUnreadable, "none of the \(photos.count) photographs can be decoded\(first)"))
    }

    /// The next one; nil where none is left.
    mutating func next() -> PhotoFile? {
        guard !isEmpty else { return nil }
        while true {
            let photo = photos[place]
            place = (place + 1) % photos.count
            if reasons[photo] == nil {
                return photo
            }
        }
    }

    mutating func leaveOut(_ photo: PhotoFile, because reason: String) {
        if reasons.updateValue(String(reason.prefix(Self.longestReason)), forKey: photo) == nil {
            leftOut.append(photo)
        }
    }
}

/// Decodes the photographs of a rotation with threads of its own, some ahead of who takes them, in order.
///
/// Threads, not tasks: a task that waits for a decoder would take one of the few threads that all tasks share.
final class DecodedAhead: @unchecked Sendable {
    typealias Make = @Sendable (PhotoFile) throws -> Tensor

    /// Decoded photographs that wait, as in `pocketclip index`.
    private static let ahead = 8
    // Frames of image decoders are larger than what threads have by themselves.
    private static let stackBytes = 4 << 20

    private let make: Make
    private let most: Int
    // Guards everything below.
    private let condition = NSCondition()
    private var rotation: PhotoRotation
    private var ready: [Int: (PhotoFile, Result<Tensor, any Error>)] = [:]
    private var begun = 0
    private var taken = 0
    private var running = 0
    private var isStopped = false

    init(_ rotation: PhotoRotation, threads: Int, make: @escaping Make) {
        self.rotation = rotation
        self.make = make
        most = max(Self.ahead, threads)
        running = threads
        for _ in 0..<threads {
            let thread = Thread { [self] in work() }
            thread.stackSize = Self.stackBytes
            thread.qualityOfService = .userInitiated
            thread.start()
        }
    }

    /// The next photograph that can be decoded.
    ///
    /// - Throws: `JobFailure` with `photos-unreadable` where none is left, and what made a photograph fail but its content.
    func next() throws -> Tensor {
        while true {
            let (photo, result) = try take()
            do {
                return try result.get()
            } catch PocketClipError.image(let error) {
                locked { rotation.leaveOut(photo, because: error.message) }
            }
        }
    }

    /// Ends all threads, and gives the rotation back.
    func stop() -> PhotoRotation {
        // By itself: those that wait must hear of it before this one waits for them.
        locked { isStopped = true }
        return locked {
            while running > 0 {
                condition.wait()
            }
            return rotation
        }
    }

    private func take() throws -> (PhotoFile, Result<Tensor, any Error>) {
        try locked {
            while true {
                if let found = ready.removeValue(forKey: taken) {
                    taken += 1
                    return found
                }
                if rotation.isEmpty, begun == taken {
                    throw rotation.failure
                }
                condition.wait()
            }
        }
    }

    private func work() {
        while let (place, photo) = begin() {
            let result = Result { try make(photo) }
            locked { ready[place] = (photo, result) }
        }
        locked { running -= 1 }
    }

    /// What to decode next, and its place; nil where all is to end.
    private func begin() -> (Int, PhotoFile)? {
        locked {
            while !isStopped {
                if begun - taken < most, let photo = rotation.next() {
                    begun += 1
                    return (begun - 1, photo)
                }
                condition.wait()
            }
            return nil
        }
    }

    /// Whoever waits looks again afterwards.
    private func locked<Value>(_ action: () throws -> Value) rethrows -> Value {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
        }
        return try action()
    }
}
