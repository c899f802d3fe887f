// The part of UniformTypeIdentifiers that ios_app uses, and what Apple's Foundation has for picked folders.
import Foundation

public struct UTType: Sendable {
    public static var folder: UTType { fatalError() }
}

extension URL {
    public func startAccessingSecurityScopedResource() -> Bool { fatalError() }
    public func stopAccessingSecurityScopedResource() { fatalError() }
}
