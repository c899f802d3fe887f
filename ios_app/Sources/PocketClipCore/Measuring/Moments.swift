import Dispatch
import Foundation

/// Times as the records have them.
public enum Moments {
    /// Of a clock that nobody sets.
    public static func monotonicNanoseconds() -> Int {
        Int(DispatchTime.now().uptimeNanoseconds)
    }

    /// Of the wall clock since 1970.
    public static func wallNanoseconds() -> Int {
        Int(Date().timeIntervalSince1970 * 1e9)
    }

    /// ISO 8601 in UTC, to the microsecond, so that texts sort by time.
    public static func utcText(_ date: Date = Date()) -> String {
        let microseconds = Int((date.timeIntervalSince1970 * 1e6).rounded(.down))
        let whole = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
        let text = whole.ISO8601Format(.init(timeZoneSeparator: .omitted))
        let fraction = String(microseconds % 1_000_000)
        let padded = String(repeating: "0", count: 6 - fraction.count) + fraction
        return text.replacingOccurrences(of: "Z", with: "") + ".\(padded)+00:00"
    }
}
