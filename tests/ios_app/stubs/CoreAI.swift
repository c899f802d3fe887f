// The part of Core AI that ios_app uses, as Apple documents it (developer.apple.com/documentation/coreai, of iOS 27.0).
//
// Each declaration is that of its page there, but for what a comment calls inferred. Where a page does not tell whether a
// type is Sendable, it is not one here: so the app needs no more than the pages promise.
import Foundation

/// Swift 6.2's, of which the parts are used that Core AI's closures give. This toolchain is older.
public struct Span<Element> {
    public var count: Int { fatalError() }
    public subscript(_ position: Int) -> Element { fatalError() }
}

@available(iOS 27, macOS 27, *)
public enum ComputeUnitKind: Hashable, Sendable {
    case cpu
    case gpu
    case neuralEngine
    // Inferred: "the compute unit kinds available on the current device" may as well be an array; `contains` is all that
    // is used of it.
    public static var availableKinds: Set<ComputeUnitKind> { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct SpecializationOptions: Sendable {  // Inferred: it has `static let`s.
    public static let `default`: SpecializationOptions = { fatalError() }()
    public static let cpuOnly: SpecializationOptions = { fatalError() }()
    public init(preferredComputeUnitKind: ComputeUnitKind) { fatalError() }
}

@available(iOS 27, macOS 27, *)
public final class AIModelCache: Sendable {  // Inferred: `default` is a `static let` of a class.
    public struct Policy: Sendable {
        public static let `default`: Policy = { fatalError() }()
    }
    public static let `default`: AIModelCache = { fatalError() }()
    public final func model(for modelURL: URL, options: SpecializationOptions) throws -> AIModel? { fatalError() }
    public final func deleteEntry(for modelURL: URL, options: SpecializationOptions) throws { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct AIModel {
    public init(contentsOf modelURL: URL, options: SpecializationOptions = .default) async throws { fatalError() }
    @discardableResult
    public static func specialize(
        contentsOf modelURL: URL, options: SpecializationOptions = .default, cache: AIModelCache = .default,
        cachePolicy: AIModelCache.Policy = .default
    ) async throws -> AIModel { fatalError() }
    public var functionNames: [String] { fatalError() }
    public func loadFunction(named functionName: String) throws -> InferenceFunction? { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct InferenceFunctionDescriptor {
    public var inputNames: [String] { fatalError() }
    public var outputNames: [String] { fatalError() }
    public func inputDescriptor(of inputName: String) -> InferenceValue.Descriptor? { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct InferenceFunction: Sendable {  // Its page says so in words.
    public struct MutableViews: ~Copyable {  // Inferred: it is always consumed.
        public init() { fatalError() }
    }
    public struct Outputs: ~Copyable {  // Inferred: its values are.
        public mutating func remove(_ name: String) -> InferenceValue? { fatalError() }
    }
    public var descriptor: InferenceFunctionDescriptor { fatalError() }
    public func run(
        inputs: [String: NDArray], states: consuming MutableViews = MutableViews(),
        outputViews: consuming MutableViews = MutableViews()
    ) async throws -> Outputs { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct InferenceValue: ~Copyable {  // Inferred: reading `ndArray` consumes it, its page says.
    public enum Descriptor: Sendable {
        case ndArray(NDArrayDescriptor)
        case image(ImageDescriptor)
    }
    public var ndArray: NDArray? { consuming get { fatalError() } }
}

@available(iOS 27, macOS 27, *)
public struct ImageDescriptor: Sendable {}

@available(iOS 27, macOS 27, *)
public struct NDArrayDescriptor: Sendable {
    public var shape: [Int] { fatalError() }
    public var scalarType: NDArray.ScalarType { fatalError() }
}

@available(iOS 27, macOS 27, *)
public struct NDArray {
    public enum ScalarType: Hashable, Sendable {
        case float32
        case float16
        case bfloat16
        case int32
    }
    public struct InterleaveLayout: Equatable {}  // Inferred: that it can be compared with nil.

    public init(shape: [Int], scalarType: ScalarType) { fatalError() }
    public var shape: [Int] { fatalError() }
    public var scalarType: ScalarType { fatalError() }
    public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> { fatalError() }
    public mutating func mutableView<T: BitwiseCopyable>(as type: T.Type = T.self) -> MutableView<T> { fatalError() }

    public struct View<Element: BitwiseCopyable> {
        public var interleaveLayout: InterleaveLayout? { fatalError() }
        public func withUnsafePointer<R, E: Error>(
            _ body: (UnsafePointer<Element>, Span<Int>, Span<Int>) throws(E) -> R
        ) throws(E) -> R { fatalError() }
    }

    public struct MutableView<Element: BitwiseCopyable> {
        // Inferred from View's and from Apple's use of it in github.com/apple/coreai-models (NDArray+Helpers.swift).
        public func withUnsafeMutablePointer<R, E: Error>(
            _ body: (UnsafeMutablePointer<Element>, Span<Int>, Span<Int>) throws(E) -> R
        ) throws(E) -> R { fatalError() }
    }
}
