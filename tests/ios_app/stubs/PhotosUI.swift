// The part of PhotosUI (and CoreTransferable) that ios_app uses.
import Foundation
import SwiftUI

public protocol Transferable {}
extension Data: Transferable {}

public final class PHPhotoLibrary: Sendable {
    public class func shared() -> PHPhotoLibrary { fatalError() }
}

public struct PHPickerFilter: Sendable {
    public static var images: PHPickerFilter { fatalError() }
}

public struct PhotosPickerItem: Equatable, Hashable, Sendable {
    public var itemIdentifier: String? { fatalError() }
    public func loadTransferable<T: Transferable>(type: T.Type) async throws -> T? { fatalError() }
}

public struct PhotosPicker: PrimitiveView {
    public init(
        _ titleKey: LocalizedStringKey, selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter? = nil
    ) { fatalError() }
}

extension View {
    public func photosPicker(
        isPresented: Binding<Bool>, selection: Binding<[PhotosPickerItem]>, maxSelectionCount: Int? = nil,
        matching filter: PHPickerFilter? = nil, photoLibrary: PHPhotoLibrary
    ) -> some View { self }
}
