// The part of Apple's C library that ios_app uses, as its headers declare it, and what Apple's Foundation and Swift's
// Objective-C overlay have beyond Linux's. A C variable is one in Swift, too.
import Foundation

public typealias mach_port_t = UInt32
public typealias integer_t = Int32
public typealias natural_t = UInt32
public typealias kern_return_t = Int32
public typealias task_flavor_t = natural_t
public typealias mach_msg_type_number_t = natural_t

public var mach_task_self_: mach_port_t = 0
public var TASK_VM_INFO: Int32 { 22 }
public var KERN_SUCCESS: Int32 { 0 }

public struct task_vm_info_data_t {
    public init() { fatalError() }
    public var external: UInt64
    public var phys_footprint: UInt64
    public var ledger_phys_footprint_peak: Int64
}

public func task_info(
    _ target_task: mach_port_t, _ flavor: task_flavor_t, _ task_info_out: UnsafeMutablePointer<integer_t>!,
    _ task_info_outCnt: UnsafeMutablePointer<mach_msg_type_number_t>!
) -> kern_return_t { fatalError() }

public func sysctlbyname(
    _ name: UnsafePointer<CChar>!, _ oldp: UnsafeMutableRawPointer!, _ oldlenp: UnsafeMutablePointer<Int>!,
    _ newp: UnsafeMutableRawPointer!, _ newlen: Int
) -> Int32 { fatalError() }

extension ProcessInfo {
    public enum ThermalState: Int, Sendable {
        case nominal
        case fair
        case serious
        case critical
    }
    public var thermalState: ThermalState { fatalError() }
    public var isLowPowerModeEnabled: Bool { fatalError() }
}

public func autoreleasepool<Result, Failure: Error>(
    invoking body: () throws(Failure) -> Result
) throws(Failure) -> Result { fatalError() }
