import XCTest

@testable import PocketClipCore

final class StatisticsTests: XCTestCase {
    func testSummariesAreThoseOfPython() throws {
        let cases = try GoldenFiles.json("statistics.json").items
        XCTAssertGreaterThanOrEqual(cases.count, 10)
        for each in cases {
            let summary = try XCTUnwrap(LatencySummary(each.read("steady_ns")))
            let wanted = each["summary"]
            XCTAssertEqual(summary.samples, try wanted.read("samples"))
            for (name, value) in [
                ("p50_ns", summary.p50Ns), ("p90_ns", summary.p90Ns), ("p95_ns", summary.p95Ns),
                ("p99_ns", summary.p99Ns), ("mad_ns", summary.madNs), ("launch_median_ns", summary.launchMedianNs),
                ("launch_spread", summary.launchSpread),
            ] {
                XCTAssertEqual(value, try wanted.read(name), name)
            }
            XCTAssertEqual(summary.launchMediansNs, try wanted.read("launch_medians_ns"))
        }
    }

    func testNothingHasNoSummary() {
        XCTAssertNil(LatencySummary([]))
        XCTAssertNil(LatencySummary([[1], []]))
    }

    func testGates() {
        var launch = Launch()
        launch.warmupStationary = true
        launch.after = MachineState(thermalStatus: 2, batteryPercent: 19, charging: false, powerSaver: true)
        launch.clockJumpNs = -2_000_000_000
        let found = Gates(logicalCores: 6).judge([launch])
        XCTAssertEqual(found.map(\.code), [.hot, .lowBattery, .powerSaver, .clockJump])
        XCTAssertEqual(found.last?.reason, "the wall clock moved by -2.0 s of its own (in 1 of 1 launches)")
        var sound = launch
        sound.after = MachineState(thermalStatus: 1, batteryPercent: 19, charging: true, powerSaver: false)
        sound.clockJumpNs = 5
        XCTAssertEqual(Gates(logicalCores: 6).judge([sound]), [])
        // A median over launches bears a few that were disturbed.
        XCTAssertEqual(Gates(logicalCores: 6).judge([launch, sound, sound]), [])
    }
}
