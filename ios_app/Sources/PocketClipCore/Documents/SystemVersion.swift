import Foundation

/// The operating system and its version.
public struct SystemVersion: Equatable, Sendable {
    /// E.g. `iOS`.
    public let name: String
    public let major: Int
    public let minor: Int
    public let patch: Int

    public init(name: String, major: Int, minor: Int = 0, patch: Int = 0) {
        self.name = name
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Of this device.
    public static var current: SystemVersion {
        let version = ProcessInfo.processInfo.operatingSystemVersion
        return SystemVersion(
            name: currentName, major: version.majorVersion, minor: version.minorVersion, patch: version.patchVersion)
    }

    private static var currentName: String {
        #if os(macOS)
            "macOS"
        #elseif os(iOS)
            "iOS"
        #else
            "Linux"
        #endif
    }

    /// E.g. `iOS 18.1`.
    public var worded: String {
        "\(name) \(major).\(minor)\(patch == 0 ? "" : ".\(patch)")"
    }

    /// The same as a part of a file's name.
    public var fileName: String { worded.replacingOccurrences(of: " ", with: "-") }
}
