import Foundation

/// What is known of models on this device: whether the system has loaded one before, and whether an app ended over one.
///
/// Notes are empty files, by the model's hash, the system and what runs the model. They lie with the caches that they tell
/// of, and go with them.
public struct LoadNotes: Sendable {
    /// What a note says.
    public enum Mark: String, Sendable {
        /// The model was loaded: later loads find in the system's caches what the first one made.
        case loaded
        /// A trial of the model began. It is taken away at the trial's end: left over, it says that the app ended in it.
        case trying
        /// The same of a trial that began after one in which the app ended.
        case tryingAgain = "trying-again"
    }

    public let folder: URL
    private let system: SystemVersion

    public init(folder: URL, system: SystemVersion = .current) {
        self.folder = folder
        self.system = system
    }

    public func has(_ mark: Mark, _ request: LoadRequest) -> Bool {
        FileManager.default.fileExists(atPath: file(mark, request).path)
    }

    /// Where the note cannot be written, nothing is lost but what it would have said.
    public func set(_ mark: Mark, _ request: LoadRequest) {
        try? AtomicFile.write(Data(), to: file(mark, request))
    }

    public func remove(_ mark: Mark, _ request: LoadRequest) {
        try? FileManager.default.removeItem(at: file(mark, request))
    }

    private func file(_ mark: Mark, _ request: LoadRequest) -> URL {
        folder.appendingPathComponent(
            "\(request.modelSha256)-\(system.fileName)-\(request.accelerator.rawValue).\(mark.rawValue)")
    }
}
