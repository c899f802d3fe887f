import Foundation
import PocketClipCore

/// Times and sizes as the screens word them.
enum Measured {
    static func milliseconds(_ nanoseconds: Int) -> String {
        milliseconds(Double(nanoseconds))
    }

    static func milliseconds(_ nanoseconds: Double) -> String {
        String(localized: "\((nanoseconds / 1e6).formatted(.number.precision(.significantDigits(3)))) ms")
    }

    static func megabytes(_ bytes: Int?) -> String {
        guard let bytes else { return String(localized: "not known") }
        return String(localized: "\((Double(bytes) / 1e6).formatted(.number.precision(.fractionLength(1)))) MB")
    }

    /// Apple's thermal state.
    static func thermal(_ status: Int?) -> String {
        switch status {
        case 0: String(localized: "nominal")
        case 1: String(localized: "fair")
        case 2: String(localized: "serious")
        case 3: String(localized: "critical")
        default: String(localized: "not known")
        }
    }
}
