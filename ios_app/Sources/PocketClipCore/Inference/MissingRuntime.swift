/// A runtime that this device or this app has not: it keeps its place, and says why nothing runs.
public struct MissingRuntime: ModelRuntime {
    public let name: String
    /// Why, in words that complete `... is not here:`.
    public let reason: String
    public let version: String? = nil
    public let accelerators: [Accelerator] = []
    public let loadModes: [LoadMode] = []

    public init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    public func check(_ request: LoadRequest) throws { throw missing }

    public func prepare(_ request: LoadRequest) async throws { throw missing }

    public func load(_ request: LoadRequest) async throws -> sending any ModelSession { throw missing }

    private var missing: PocketClipError { .model(.runtimeMissing(name: name, reason: reason)) }
}
