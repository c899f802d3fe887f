import PocketClipCore

/// Whether this app and this system have Core AI.
public enum CoreAISupport {
    /// As bundles and jobs name it.
    static let name = "coreai"

    /// Core AI where it is, else what says why it is not: it came with iOS 27, and no simulator has it.
    public static func runtime() -> any ModelRuntime {
        #if canImport(CoreAI)
            if #available(iOS 27, macOS 27, *) {
                return CoreAIRuntime()
            }
            return MissingRuntime(
                name: name, reason: "Core AI comes with iOS 27 and macOS 27, this is \(SystemVersion.current.worded)")
        #else
            return MissingRuntime(
                name: name, reason: "this app was built without Core AI, for a simulator or by an Xcode before 27")
        #endif
    }
}
