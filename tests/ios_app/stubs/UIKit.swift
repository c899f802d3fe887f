// The part of UIKit (and SwiftUI's bridge to it) that ios_app uses.
import Foundation

@MainActor
open class UIDevice {
    public enum BatteryState: Int, Sendable {
        case unknown
        case unplugged
        case charging
        case full
    }
    open class var current: UIDevice { fatalError() }
    open var isBatteryMonitoringEnabled: Bool = false
    open var batteryLevel: Float { fatalError() }
    open var batteryState: BatteryState { fatalError() }
}

@MainActor
open class UIApplication {
    open class var shared: UIApplication { fatalError() }
    open var isIdleTimerDisabled: Bool = false
}

@MainActor
open class UIView {
    public init() {}
    open class var layerClass: AnyClass { fatalError() }
    open var layer: CALayer { fatalError() }
}

open class CALayer {}
