import AVFoundation
import Dispatch
import Foundation
import PocketClipCore
import SwiftUI

/// The camera's images, one after the other; those that nobody waits for are dropped.
@MainActor
final class CameraFeed {
    private let session = AVCaptureSession()
    private let receiver = FrameReceiver()
    private let output = AVCaptureVideoDataOutput()
    private weak var preview: AVCaptureVideoPreviewLayer?
    private var device: AVCaptureDevice?
    private var rotation: AVCaptureDevice.RotationCoordinator?
    private var turns: [NSKeyValueObservation] = []

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

    /// Shows in a layer what the camera sees.
    func show(in preview: AVCaptureVideoPreviewLayer) {
        preview.session = session
        preview.videoGravity = .resizeAspectFill
        self.preview = preview
        keepUpright()
    }

    private func configure() throws {
        guard device == nil else { return }
        guard let device = AVCaptureDevice.default(for: .video), let input = try? AVCaptureDeviceInput(device: device),
            session.canAddInput(input)
        else {
            throw PocketClipError.image(.undecodable(name: "the camera's images", reason: "there is no camera"))
        }
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(receiver, queue: receiver.queue)
        session.beginConfiguration()
        session.sessionPreset = .vga640x480
        session.addInput(input)
        if session.canAddOutput(output) {
            session.addOutput(output)
        }
        session.commitConfiguration()
        self.device = device
        keepUpright()
    }

    /// Images stand upright however the phone is held, the preview as the screen is turned: where that is locked, they differ.
    private func keepUpright() {
        guard let device else { return }
        let rotation = AVCaptureDevice.RotationCoordinator(device: device, previewLayer: preview)
        self.rotation = rotation
        turns = [
            rotation.observe(\.videoRotationAngleForHorizonLevelCapture) { [weak self] _, _ in
                Task { @MainActor in self?.turn() }
            },
            rotation.observe(\.videoRotationAngleForHorizonLevelPreview) { [weak self] _, _ in
                Task { @MainActor in self?.turn() }
            },
        ]
        turn()
    }

    private func turn() {
        guard let rotation else { return }
        turn(output.connection(with: .video), to: rotation.videoRotationAngleForHorizonLevelCapture)
        turn(preview?.connection, to: rotation.videoRotationAngleForHorizonLevelPreview)
    }

    private func turn(_ connection: AVCaptureConnection?, to angle: CGFloat) {
        if let connection, connection.isVideoRotationAngleSupported(angle) {
            connection.videoRotationAngle = angle
        }
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
    let camera: CameraFeed

    func makeUIView(context: Context) -> PreviewView {
        let view = PreviewView()
        if let layer = view.previewLayer {
            camera.show(in: layer)
        }
        return view
    }

    func updateUIView(_ view: PreviewView, context: Context) {}

    final class PreviewView: UIView {
        override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }

        var previewLayer: AVCaptureVideoPreviewLayer? { layer as? AVCaptureVideoPreviewLayer }
    }
}
