import Foundation
import PocketClipCore
import PocketClipCoreML
import SwiftUI
import UIKit

/// Measures without the screens.
///
/// It is a window all the same: iOS ends an app that has none after some seconds, and gives the fast cores to what is in
/// the foreground.
struct HeadlessView: View {
    @State private var line = ""

    var body: some View {
        ProgressView(line.isEmpty ? String(localized: "Measuring") : line)
            .task {
                // A display that goes dark would end the measurement.
                UIApplication.shared.isIdleTimerDisabled = true
                await measure()
            }
    }

    private func measure() async {
        let status = await Task.detached(priority: .userInitiated) {
            let bench = HeadlessBench(
                documents: AppFolders.documents, runtimes: appRuntimes, machine: AppleMachine(),
                decoder: ApplePhotoDecoder()
            ) { said in
                // Whoever started the app reads its standard output, which must not wait in a buffer.
                FileHandle.standardOutput.write(Data((said + "\n").utf8))
                Task { @MainActor in line = said }
            }
            do {
                try await bench.run()
                return Int32(0)
            } catch {
                FileHandle.standardError.write(Data("error: \(error)\n".utf8))
                return 1
            }
        }.value
        exit(status)
    }
}
