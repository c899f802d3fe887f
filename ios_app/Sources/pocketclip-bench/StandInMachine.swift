import Foundation
import PocketClipCore

#if !canImport(CoreML)
    /// This computer in the place of an iPhone: memory is Linux's, what iOS's services would say comes from a file.
    ///
    /// The file is JSON with `battery_percent`, `charging`, `power_saver`, `thermal_status`, `temperature_celsius`,
    /// `debuggable` and `ios`, the number of the iOS that it stands for; null or left out where unknown.
    struct StandInMachine: Machine {
        let platform = "iOS stand-in on Linux"
        let appVersion: String?
        let isDebugBuild: Bool
        private let services: MachineState
        private let ios: Int?

        init(stateFile: URL?, appVersion: String?) throws {
            self.appVersion = appVersion
            guard let stateFile else {
                isDebugBuild = false
                services = MachineState()
                ios = nil
                return
            }
            let json = try JSONValue(parsing: Data(contentsOf: stateFile), source: stateFile.lastPathComponent)
            let fields = try [String: JSONValue?](of: json, in: stateFile.lastPathComponent)
            isDebugBuild = try fields.value("debuggable") ?? false
            ios = try fields.value("ios")
            services = MachineState(
                temperatureCelsius: try fields.value("temperature_celsius"),
                thermalStatus: try fields.value("thermal_status"), batteryPercent: try fields.value("battery_percent"),
                charging: try fields.value("charging"), powerSaver: try fields.value("power_saver"))
        }

        /// What an app has there: Core AI from iOS 27 on, and where the file does not tell.
        func runtimes(replays: URL?) -> [any ModelRuntime] {
            let coreML = ReplayRuntime.coreML(folder: replays)
            if let ios, ios < 27 {
                let reason = "Core AI comes with iOS 27, this is iOS \(ios)"
                return [coreML, MissingRuntime(name: "coreai", reason: reason)]
            }
            return [coreML, ReplayRuntime.coreAI(folder: replays)]
        }

        var facts: DeviceFacts {
            DeviceFacts(
                name: "iphone-stand-in", kind: .emulated, os: "Linux", machine: "unknown", cpu: "unknown",
                logicalCores: ProcessInfo.processInfo.processorCount,
                memoryBytes: Int(ProcessInfo.processInfo.physicalMemory))
        }

        func state() async -> MachineState {
            var state = services
            state.at = Moments.utcText()
            return state
        }

        func memory() -> ProcessMemory {
            ProcessMemory(
                resident: bytes("/proc/self/status", "VmRSS:"), peak: bytes("/proc/self/status", "VmHWM:"),
                proportional: bytes("/proc/self/smaps_rollup", "Pss:"),
                fileMapped: bytes("/proc/self/status", "RssFile:"))
        }

        func resetPeak() -> Bool { false }

        func dropFileCache(of model: URL) -> Bool { false }

        private func bytes(_ path: String, _ field: String) -> Int? {
            // /proc has no sizes, by which Data(contentsOf:) would read.
            guard let file = FileHandle(forReadingAtPath: path), let content = try? file.readToEnd() else { return nil }
            let line = String(decoding: content, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(field) }
            return line?.split(separator: " ", omittingEmptySubsequences: true).dropFirst().first
                .flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
                .map { $0 * 1024 }
        }
    }

    extension [String: JSONValue?] {
        fileprivate init(of json: JSONValue, in source: String) throws {
            guard case .object(let fields) = json else {
                throw PocketClipError.document(.misfit(place: source, found: "no object", wanted: "an object"))
            }
            self = fields.mapValues { $0 == .null ? nil : $0 }
        }

        fileprivate func value<Found: JSONReadable>(_ key: String) throws -> Found? {
            guard let json = self[key] ?? nil else { return nil }
            return try Found(json: json, at: key)
        }
    }
#endif
