import AVFoundation
import Dispatch
import Foundation
import PocketClipCore
import SwiftUI

/// The camera's images, one after the other; those that nobody waits for are dropped.
@MainActor
final class CameraFeed {
    let session = AVCaptureSession()
    private let receiver = FrameReceiver()
    private var isConfigured = false

    /// Asks for permission, and starts the camera.
    ///
    /// - Throws: `ImageError.undecodable` where there is no camera, or none that may be used.
    func start() async throws {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            throw PocketClipError.image(
                .undecodable(name: "the camera's images", reason: "allow the camera in Settings, PocketCLIP"))
        }
        try configure()
        let running = RunningSession(session: session)
        receiver.queue.async { running.session.startRunning() }
    }

    func stop() {
        let running = RunningSession(session: session)
        receiver.queue.async { running.session.stopRunning() }
        receiver.finish()
    }

    /// Images from now on, until `stop`.
    func frames() -> AsyncStream<PackedImage> {
        receiver.frames()
    }

    private func configure() throws {
        guard !isConfigured else { return }
        guard let device = AVCaptureDevice.default(for: .video), let input = try? AVCaptureDeviceInput(device: device),
            session.canAddInput(input)
        else {
            throw PocketClipError.image(.undecodable(name: "the camera's images", reason: "there is no camera"))
        }
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(receiver, queue: receiver.queue)
        session.beginConfiguration()
        session.sessionPreset = .vga640x480
        session.addInput(input)
        if session.canAddOutput(output) {
            session.addOutput(output)
        }
        // Held upright, a phone's camera lies on its side.
        if let connection = output.connection(with: .video), connection.isVideoRotationAngleSupported(90) {
            connection.videoRotationAngle = 90
        }
        session.commitConfiguration()
        isConfigured = true
    }
}

/// A configured session on its way to the camera's queue.
///
/// AVFoundation wants it started and stopped, which takes a moment, on a queue of the program's; nothing else happens
/// to it there.
private struct RunningSession: @unchecked Sendable {
    let session: AVCaptureSession
}

/// Packs the camera's images on a queue of its own.
///
/// AVFoundation calls it on `queue` alone; what other threads touch is behind the lock.
final class FrameReceiver: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
    let queue = DispatchQueue(label: "org.pocketclip.camera")
    private let lock = NSLock()
    private var continuation: AsyncStream<PackedImage>.Continuation?

    func frames() -> AsyncStream<PackedImage> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            lock.withLock { self.continuation = continuation }
        }
    }

    func finish() {
        lock.withLock {
            continuation?.finish()
            continuation = nil
        }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        let current = lock.withLock { continuation }
        guard let current, let pixels = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
        CVPixelBufferLockBaseAddress(pixels, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(pixels, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(pixels) else { return }
        let (height, bytesPerRow) = (CVPixelBufferGetHeight(pixels), CVPixelBufferGetBytesPerRow(pixels))
        let image = try? PackedImage(
            width: CVPixelBufferGetWidth(pixels), height: height,
            fourByte: UnsafeRawBufferPointer(start: base, count: bytesPerRow * height), bytesPerRow: bytesPerRow,
            order: (2, 1, 0))
        if let image {
            current.yield(image)
        }
    }
}

/// What the camera sees.
struct CameraPreview: UIViewRepresentable {
    let session: AVCaptureSession

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        view.previewLayer?.session = session
        view.previewLayer?.videoGravity = .resizeAspectFill
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) {}

    final class PreviewView: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

        var previewLayer: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }
    }
}
