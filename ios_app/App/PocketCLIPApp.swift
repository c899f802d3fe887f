import Foundation
import PocketClipCore
import PocketClipScreens
import SwiftUI

/// The app; where `POCKETCLIP_BENCH` is `1`, it measures what `Documents/job.json` says and ends.
@main
struct PocketCLIPApp: App {
    @State private var bundle = BundleModel(runtimes: appRuntimes)

    var body: some Scene {
        WindowGroup {
            if ProcessInfo.processInfo.environment[HeadlessBench.variable] == "1" {
                HeadlessView()
            } else {
                RootView(bundle: bundle)
            }
        }
    }
}
