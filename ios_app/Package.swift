// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "PocketClip",
    defaultLocalization: "en",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "PocketClipCore", targets: ["PocketClipCore"]),
        .library(name: "PocketClipCoreML", targets: ["PocketClipCoreML"]),
        .library(name: "PocketClipCoreAI", targets: ["PocketClipCoreAI"]),
        .library(name: "PocketClipScreens", targets: ["PocketClipScreens"]),
        .executable(name: "pocketclip-bench", targets: ["pocketclip-bench"]),
    ],
    targets: [
        .target(name: "PocketClipCore"),
        // Empty where there is no Core ML: every file of it is behind `canImport(CoreML)`.
        .target(name: "PocketClipCoreML", dependencies: ["PocketClipCore"]),
        // Where there is no Core AI, what says so.
        .target(name: "PocketClipCoreAI", dependencies: ["PocketClipCore"]),
        .target(name: "PocketClipScreens", dependencies: ["PocketClipCore"]),
        .executableTarget(
            name: "pocketclip-bench", dependencies: ["PocketClipCore", "PocketClipCoreML", "PocketClipCoreAI"]),
        .target(name: "PocketClipTestSupport", dependencies: ["PocketClipCore"], path: "Tests/PocketClipTestSupport"),
        .testTarget(name: "PocketClipCoreTests", dependencies: ["PocketClipCore", "PocketClipTestSupport"]),
        .testTarget(name: "PocketClipScreensTests", dependencies: ["PocketClipScreens", "PocketClipTestSupport"]),
    ]
)
