// The part of UIKit that ios_app uses.
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
