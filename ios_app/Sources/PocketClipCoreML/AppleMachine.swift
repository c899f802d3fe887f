#if canImport(CoreML)
    @preconcurrency import Darwin  // mach_task_self_ is a variable in C, and never changes
    import Foundation
    import PocketClipCore

    #if canImport(UIKit)
        import UIKit
    #endif

    /// The iPhone, or Mac, that the app runs on.
    public struct AppleMachine: Machine {
        public init() {}

        public var platform: String { AppleSystem.platform }

        public var appVersion: String? {
            Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String
        }

        public var isDebugBuild: Bool {
            #if DEBUG
                true
            #else
                false
            #endif
        }

        public var facts: DeviceFacts {
            let model = AppleSystem.text("hw.machine") ?? "unknown"
            return DeviceFacts(
                name: model.lowercased(), kind: AppleSystem.isPhone ? .phone : .host, os: AppleSystem.platform,
                machine: "arm64", cpu: AppleSystem.text("machdep.cpu.brand_string") ?? "Apple, in \(model)",
                isa: ["asimd", "fp16"], logicalCores: ProcessInfo.processInfo.processorCount,
                memoryBytes: Int(ProcessInfo.processInfo.physicalMemory), soc: nil, instance: AppleSystem.instance)
        }

        public func state() async -> MachineState {
            let process = ProcessInfo.processInfo
            let battery = await AppleSystem.battery()
            return MachineState(
                thermalStatus: process.thermalState.rawValue, batteryPercent: battery.percent,
                charging: battery.charging, powerSaver: process.isLowPowerModeEnabled)
        }

        /// The footprint, which the system judges an app by: what is dirty or compressed, pages of files not.
        public func memory() -> ProcessMemory {
            var info = task_vm_info_data_t()
            var count = mach_msg_type_number_t(
                MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<integer_t>.size)
            let status = withUnsafeMutablePointer(to: &info) { pointer in
                pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                    task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
                }
            }
            guard status == KERN_SUCCESS else { return ProcessMemory() }
            return ProcessMemory(
                resident: Int(info.phys_footprint), peak: Int(max(0, info.ledger_phys_footprint_peak)),
                fileMapped: Int(info.external))
        }

        /// iOS does not let a program reset its peak.
        public func resetPeak() -> Bool { false }

        /// iOS does not let a program drop pages of files.
        public func dropFileCache(of model: URL) -> Bool { false }
    }

    /// What Apple's systems tell of themselves.
    enum AppleSystem {
        /// E.g. `iOS 18.1`.
        static var platform: String { SystemVersion.current.worded }

        static var isPhone: Bool {
            #if canImport(UIKit)
                true
            #else
                false
            #endif
        }

        /// A hash of a number drawn at the first start, by which two phones of one kind are told apart.
        static var instance: String? {
            let file = AppFolders.support.appendingPathComponent("instance")
            if let found = try? String(contentsOf: file, encoding: .utf8), !found.isEmpty {
                return String(SHA256Digest.hex(of: Data(found.utf8)).prefix(16))
            }
            let drawn = UUID().uuidString
            guard (try? AtomicFile.write(Data(drawn.utf8), to: file)) != nil else { return nil }
            return String(SHA256Digest.hex(of: Data(drawn.utf8)).prefix(16))
        }

        /// A text of sysctl's.
        static func text(_ name: String) -> String? {
            var size = 0
            guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 1 else { return nil }
            var bytes = [UInt8](repeating: 0, count: size)
            guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return nil }
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }

        @MainActor
        static func battery() -> (percent: Int?, charging: Bool?) {
            #if canImport(UIKit)
                let device = UIDevice.current
                device.isBatteryMonitoringEnabled = true
                let isKnown = device.batteryLevel >= 0
                let charging: Bool? =
                    switch device.batteryState {
                    case .charging, .full: true
                    case .unplugged: false
                    default: nil
                    }
                return (isKnown ? Int((device.batteryLevel * 100).rounded()) : nil, charging)
            #else
                return (nil, nil)
            #endif
        }
    }
#endif
