import Foundation

/// The app's own folders.
public enum AppFolders {
    /// Shared with the Files app, Finder and the harness: bundles, jobs and results.
    public static var documents: URL { folder(.documentDirectory) }
    /// What the app made and keeps: indexes of photographs.
    public static var support: URL { folder(.applicationSupportDirectory) }
    /// What can be made again.
    public static var caches: URL { folder(.cachesDirectory) }

    /// Makes a folder whose content no backup has: all of it can be made again, though not fast.
    static func keepOutOfBackups(_ folder: URL) {
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var folder = folder
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try? folder.setResourceValues(values)
    }

    private static func folder(_ directory: FileManager.SearchPathDirectory) -> URL {
        FileManager.default.urls(for: directory, in: .userDomainMask).first
            ?? URL(fileURLWithPath: NSTemporaryDirectory(), isDirectory: true)
    }
}
