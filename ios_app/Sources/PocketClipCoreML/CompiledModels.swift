#if canImport(CoreML)
    import CoreML
    import Foundation
    import PocketClipCore

    /// Compiled models on the device, by the hash of the package they were made of and the system that made them.
    public struct CompiledModels: Sendable {
        /// Below the caches, which the system may empty and backups leave out.
        public static var standardFolder: URL {
            AppFolders.caches.appendingPathComponent("CompiledModels", isDirectory: true)
        }

        private static let compiledExtension = "mlmodelc"

        private let folder: URL
        /// Of what was loaded before: they go where the compiled models go, with the caches, and the app.
        let notes: LoadNotes

        init(folder: URL) {
            self.folder = folder
            notes = LoadNotes(folder: folder)
        }

        /// The compiled form of a package, made first where there is none.
        ///
        /// - Throws: `ModelError.load` where Core ML refuses the package, `StorageError` where nothing can be kept.
        func compiled(_ request: LoadRequest) async throws -> URL {
            if request.model.pathExtension == Self.compiledExtension {
                return request.model
            }
            let goal = folder.appendingPathComponent(
                "\(request.modelSha256)-\(SystemVersion.current.fileName).\(Self.compiledExtension)")
            if FileManager.default.fileExists(atPath: goal.path) {
                return goal
            }
            let made: URL
            do {
                made = try await MLModel.compileModel(at: request.model)
            } catch {
                throw PocketClipError.model(
                    .load(path: request.model.lastPathComponent, reason: error.localizedDescription))
            }
            do {
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                try FileManager.default.moveItem(at: made, to: goal)
            } catch {
                // Another task may have made the same meanwhile.
                guard FileManager.default.fileExists(atPath: goal.path) else {
                    throw PocketClipError.storage(
                        .unwritable(path: goal.lastPathComponent, reason: error.localizedDescription))
                }
            }
            return goal
        }
    }
#endif
