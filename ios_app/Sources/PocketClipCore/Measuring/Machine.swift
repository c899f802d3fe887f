import Foundation

/// What may disturb a measurement, at one moment; nil is what the device does not tell.
///
/// `thermalStatus` is Apple's: 0 nominal, 1 fair, 2 serious, 3 critical. `thermalHeadroom` is Android's alone.
public struct MachineState: Equatable, Sendable {
    public var at: String
    public var loadAverage: Double?
    public var clockKhz: [Int]
    public var clockLimitKhz: Int?
    public var temperatureCelsius: Double?
    public var thermalStatus: Int?
    public var thermalHeadroom: Double?
    public var batteryPercent: Int?
    public var charging: Bool?
    public var powerSaver: Bool?
    public var othersBusyCores: Double?

    public init(
        at: String = Moments.utcText(), loadAverage: Double? = nil, clockKhz: [Int] = [], clockLimitKhz: Int? = nil,
        temperatureCelsius: Double? = nil, thermalStatus: Int? = nil, thermalHeadroom: Double? = nil,
        batteryPercent: Int? = nil, charging: Bool? = nil, powerSaver: Bool? = nil, othersBusyCores: Double? = nil
    ) {
        self.at = at
        self.loadAverage = loadAverage
        self.clockKhz = clockKhz
        self.clockLimitKhz = clockLimitKhz
        self.temperatureCelsius = temperatureCelsius
        self.thermalStatus = thermalStatus
        self.thermalHeadroom = thermalHeadroom
        self.batteryPercent = batteryPercent
        self.charging = charging
        self.powerSaver = powerSaver
        self.othersBusyCores = othersBusyCores
    }
}

/// Memory of this process, in bytes. On Apple's systems `resident` is the footprint that the system judges an app by.
public struct ProcessMemory: Equatable, Sendable {
    public var resident: Int?
    /// The highest since the start, or since `Machine.resetPeak` where that worked.
    public var peak: Int?
    public var proportional: Int?
    public var fileMapped: Int?

    public init(resident: Int? = nil, peak: Int? = nil, proportional: Int? = nil, fileMapped: Int? = nil) {
        self.resident = resident
        self.peak = peak
        self.proportional = proportional
        self.fileMapped = fileMapped
    }
}

/// The machine that ran a measurement. `instance` tells two of one name apart by a hash that gives neither away.
public struct DeviceFacts: Equatable, Sendable {
    public var name: String
    public var kind: DeviceKind
    public var os: String
    public var machine: String
    public var cpu: String
    public var isa: [String]
    public var logicalCores: Int
    public var memoryBytes: Int?
    public var soc: String?
    public var instance: String?

    public init(
        name: String, kind: DeviceKind, os: String, machine: String, cpu: String, isa: [String] = [],
        logicalCores: Int, memoryBytes: Int? = nil, soc: String? = nil, instance: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.os = os
        self.machine = machine
        self.cpu = cpu
        self.isa = isa
        self.logicalCores = logicalCores
        self.memoryBytes = memoryBytes
        self.soc = soc
        self.instance = instance
    }
}

/// What sort of machine a device is.
public enum DeviceKind: String, JSONWord {
    case host
    case emulated
    case phone
    case board
}

/// What a measurement asks of the machine that it runs on. What it does not tell is nil.
public protocol Machine: Sendable {
    /// E.g. `iOS 18.1`.
    var platform: String { get }
    var appVersion: String? { get }
    /// Whether the app is a debug build, whose times mean little.
    var isDebugBuild: Bool { get }
    var facts: DeviceFacts { get }

    /// Takes little time: it is asked between blocks of inferences.
    func state() async -> MachineState
    func memory() -> ProcessMemory
    /// Makes the peak start again from what is resident now; false where the system does not let us.
    func resetPeak() -> Bool
    /// Lets go of the pages that hold a model's files; whether none of them is in memory afterwards.
    func dropFileCache(of model: URL) -> Bool
}

extension MachineState: JSONWritable {
    public var json: JSONValue {
        .object([
            "at": at.json, "load_average": loadAverage.json, "clock_khz": clockKhz.json,
            "clock_limit_khz": clockLimitKhz.json, "temperature_celsius": temperatureCelsius.json,
            "thermal_status": thermalStatus.json, "thermal_headroom": thermalHeadroom.json,
            "battery_percent": batteryPercent.json, "charging": charging.json, "power_saver": powerSaver.json,
            "others_busy_cores": othersBusyCores.json,
        ])
    }
}

extension DeviceFacts: JSONWritable {
    public var json: JSONValue {
        .object([
            "name": name.json, "kind": kind.json, "os": os.json, "machine": machine.json, "cpu": cpu.json,
            "isa": isa.json, "logical_cores": logicalCores.json, "memory_bytes": memoryBytes.json, "soc": soc.json,
            "instance": instance.json,
        ])
    }
}
