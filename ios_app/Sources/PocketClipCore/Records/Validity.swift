import Foundation

/// Why a measurement may not be ranked.
public enum InvalidityCode: String, JSONWord {
    case busy
    case stolen
    case hot
    case throttled
    case lowBattery = "low-battery"
    case powerSaver = "power-saver"
    case notStationary = "not-stationary"
    case clockJump = "clock-jump"

    /// What to do about it.
    public var fix: String {
        switch self {
        case .busy: "stop other programs on the device, or wait, and measure again"
        case .stolen: "use a machine whose processors are not shared, or measure when its neighbours are quiet"
        case .hot: "let the device cool down, out of its case and off the charger, and measure again"
        case .throttled: "let the device cool down, set the governor to performance, and measure again"
        case .lowBattery: "charge the device to 20 % or more and measure again"
        case .powerSaver: "turn power saving off and measure again"
        case .notStationary: "measure again with more launches; a model that never settles needs --min-seconds"
        case .clockJump: "the device's clock was set during the launch: measure again"
        }
    }
}

/// One condition that was not met.
public struct Invalidity: Equatable, Sendable {
    public let code: InvalidityCode
    public let reason: String

    public var fix: String { code.fix }
}

/// The gates of `benchmark/records/validity.py`, worded alike.
public struct Gates: Equatable, Sendable {
    private static let othersShare = 1.0 / 8

    public var othersBusyCores = 0.25
    public var stolenShare = 0.05
    public var temperatureCelsius = 80.0
    public var thermalStatus = 1
    public var clockShare = 0.75
    public var batteryPercent = 20
    public var clockJumpNs = 1_000_000_000

    public init(logicalCores: Int) {
        othersBusyCores = max(othersBusyCores, Self.othersShare * Double(logicalCores))
    }

    /// What forbids to measure in this state.
    public func judge(_ state: MachineState) -> [Invalidity] {
        var found: [Invalidity] = []
        if let degrees = state.temperatureCelsius, degrees > temperatureCelsius {
            found.append(
                Invalidity(
                    code: .hot, reason: "\(format(degrees, 0)) °C, at most \(format(temperatureCelsius, 0)) wanted"))
        } else if let status = state.thermalStatus, status > thermalStatus {
            found.append(Invalidity(code: .hot, reason: "thermal status \(status), at most \(thermalStatus) wanted"))
        }
        if let percent = state.batteryPercent, percent < batteryPercent, state.charging != true {
            found.append(
                Invalidity(code: .lowBattery, reason: "battery at \(percent) %, at least \(batteryPercent) wanted"))
        }
        if let cores = state.othersBusyCores, cores > othersBusyCores {
            found.append(busy(cores))
        }
        if state.powerSaver == true {
            found.append(Invalidity(code: .powerSaver, reason: "the device saves power"))
        }
        return found
    }

    /// What forbids to rank a launch.
    public func judge(_ launch: Launch) -> [Invalidity] {
        var found = [launch.before, launch.after].compactMap(\.self).flatMap(judge)
        if let cores = launch.othersBusyCores, cores > othersBusyCores {
            found.append(busy(cores))
        }
        if let share = launch.stolenShare, share > stolenShare {
            found.append(
                Invalidity(
                    code: .stolen,
                    reason: "the hypervisor took \(percent(share)) of the time, at most \(percent(stolenShare)) wanted")
            )
        }
        if let fastest = launch.after?.clockKhz.max(), let limit = launch.after?.clockLimitKhz, limit > 0 {
            let share = Double(fastest) / Double(limit)
            if share < clockShare {
                found.append(
                    Invalidity(
                        code: .throttled,
                        reason:
                            "the clock was at \(percent(share)) of its limit, at least \(percent(clockShare)) wanted"))
            }
        }
        if !launch.warmupStationary {
            found.append(Invalidity(code: .notStationary, reason: "latency had not settled when the warm-up ended"))
        }
        if let jump = launch.clockJumpNs, abs(jump) > clockJumpNs {
            found.append(
                Invalidity(
                    code: .clockJump, reason: "the wall clock moved by \(format(Double(jump) / 1e9, 1)) s of its own"))
        }
        return found
    }

    /// What forbids to rank a record: what holds for half of its launches or more, once for each code.
    public func judge(_ launches: [Launch]) -> [Invalidity] {
        var order: [InvalidityCode] = []
        var byCode: [InvalidityCode: [Invalidity]] = [:]
        for launch in launches {
            // The last of a code stands for the launch, as in Python.
            var ofLaunch: [InvalidityCode: Invalidity] = [:]
            var ownOrder: [InvalidityCode] = []
            for each in judge(launch) {
                if ofLaunch.updateValue(each, forKey: each.code) == nil {
                    ownOrder.append(each.code)
                }
            }
            for code in ownOrder {
                if byCode[code] == nil {
                    order.append(code)
                }
                byCode[code, default: []] += [ofLaunch[code]].compactMap(\.self)
            }
        }
        return order.compactMap { code in
            guard let found = byCode[code], let first = found.first, 2 * found.count >= launches.count else {
                return nil
            }
            return Invalidity(
                code: code, reason: "\(first.reason) (in \(found.count) of \(launches.count) launches)")
        }
    }

    private func busy(_ cores: Double) -> Invalidity {
        Invalidity(
            code: .busy,
            reason: "other programs took \(format(cores, 2)) cores, at most \(format(othersBusyCores, 2)) wanted")
    }

    private func format(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }

    private func percent(_ share: Double) -> String {
        format(share * 100, 0) + "%"
    }
}

extension Invalidity: JSONWritable {
    public var json: JSONValue { .object(["code": code.json, "reason": reason.json, "fix": fix.json]) }
}
