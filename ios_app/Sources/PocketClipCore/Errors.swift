/// Every error of the core: what failed, the value found, what is allowed, what to do next.
public enum PocketClipError: Error, Equatable, Sendable {
    case document(DocumentError)
    case bundle(BundleError)
    case image(ImageError)
    case labels(LabelError)
    case model(ModelError)
    case job(JobFailure)
    case storage(StorageError)

    public var message: String {
        switch self {
        case .document(let error): error.message
        case .bundle(let error): error.message
        case .image(let error): error.message
        case .labels(let error): error.message
        case .model(let error): error.message
        case .job(let failure): failure.message
        case .storage(let error): error.message
        }
    }
}

extension PocketClipError: CustomStringConvertible {
    public var description: String { message }
}

/// A JSON text is none, or does not have the form of what it should be.
public enum DocumentError: Equatable, Sendable {
    case notJSON(source: String, reason: String)
    case misfit(place: String, found: String, wanted: String)
    case missing(place: String, key: String)
    case unknown(place: String, key: String)
    case nonFinite(place: String)

    public var message: String {
        switch self {
        case .notJSON(let source, let reason): "\(source) is not JSON: \(reason); make it again"
        case .misfit(let place, let found, let wanted): "\(place) is \(found), \(wanted) wanted; make it again"
        case .missing(let place, let key): "\(place) lacks \(key); make it again"
        case .unknown(let place, let key):
            "\(place) has a field \(key) that this version does not know; update the app, or make it again"
        case .nonFinite(let place): "\(place) holds NaN or infinity, which no document may; measure again"
        }
    }
}

/// A bundle cannot be used.
public enum BundleError: Equatable, Sendable {
    case absent(folder: String)
    case newer(found: Int, known: Int)
    case forAndroid
    case hostilePath(path: String, reason: String)
    case samePath(first: String, second: String)
    case link(path: String)
    case unlisted(path: String)
    case missing(path: String)
    case size(path: String, found: Int, wanted: Int)
    case hash(path: String)
    case tensor(file: String, reason: String)
    case unfit(reason: String)
    case runtime(name: String, available: [String])

    public var message: String {
        switch self {
        case .absent(let folder):
            "there is no bundle at \(folder): it has no bundle.json; make one with `pocketclip bundle` and copy the folder"
        case .newer(let found, let known):
            "the bundle has schema version \(found); this app reads up to \(known): update the app, or make the bundle again"
        case .forAndroid:
            "the bundle has variants for Snapdragon's NPU, which iPhones do not run; make one without `--npu`"
        case .hostilePath(let path, let reason):
            "the bundle names \"\(path)\", which \(reason); do not use this bundle"
        case .samePath(let first, let second):
            "the bundle names \"\(first)\" and \"\(second)\", the same file on some systems; make the bundle again"
        case .link(let path): "\(path) is a link; copy the bundle with the files themselves"
        case .unlisted(let path): "the bundle holds \"\(path)\", which its manifest does not list; remove it"
        case .missing(let path): "\(path) is missing; copy the bundle again, or make it again"
        case .size(let path, let found, let wanted):
            "\(path) has \(found) bytes, \(wanted) wanted; copy the bundle again, or make it again"
        case .hash(let path): "\(path) was altered: its SHA-256 differs; copy the bundle again, or make it again"
        case .tensor(let file, let reason): "\(file) \(reason); make the bundle again from sound artefacts"
        case .unfit(let reason): "the bundle does not fit together: \(reason); make the bundle again"
        case .runtime(let name, let available):
            "the bundle needs the runtime \(name), this app has \(available.joined(separator: ", ")); "
                + "make the bundle from artefacts of `--target coreml`, and add `--coreai` for iOS 27"
        }
    }
}

/// Pixels cannot become a model's input.
public enum ImageError: Equatable, Sendable {
    case undecodable(name: String, reason: String)
    case size(width: Int, height: Int, bytes: Int)
    case tooNarrow(width: Int, height: Int)
    case orientation(Int)

    public var message: String {
        switch self {
        case .undecodable(let name, let reason): "cannot decode \(name): \(reason); use JPEG, PNG, HEIC or WebP"
        case .size(let width, let height, let bytes):
            "\(width) x \(height) pixels of RGB take \(width * height * 3) bytes, got \(bytes); decode the image again"
        case .tooNarrow(let width, let height):
            "an image of \(width) x \(height) pixels cannot be resized; each side must have at least 1 and at most 65536"
        case .orientation(let value): "the EXIF orientation \(value) does not exist; 1 to 8 are known"
        }
    }
}

/// Labels cannot be used.
public enum LabelError: Equatable, Sendable {
    case none
    case repeated(String)
    case zeroCharacter(String)

    public var message: String {
        switch self {
        case .none: "the label list is empty; give at least one label with text"
        case .repeated(let label): "the label \"\(label)\" stands more than once; give each label once"
        case .zeroCharacter(let label): "the label \"\(label)\" holds a zero character; remove it"
        }
    }
}

/// A model cannot be opened, or what it gives cannot be used.
public enum ModelError: Equatable, Sendable {
    case runtimeMissing(name: String, reason: String)
    case load(path: String, reason: String)
    case inference(reason: String)
    case nonFinite(output: Int, sample: Int?)
    case shape(found: [Int], wanted: [Int])
    case accelerator(asked: String, available: [String])

    public var message: String {
        switch self {
        case .runtimeMissing(let name, let reason): "\(name) is not here: \(reason); use a device that has it"
        case .load(let path, let reason):
            "cannot load the model \(path): \(reason); export it again, or update the system if it is older than the model needs"
        case .inference(let reason): "the model failed: \(reason); check it with `pocketclip verify`"
        case .nonFinite(let output, let sample):
            "output \(output) holds NaN or infinity\(sample.map { " for sample \($0)" } ?? ""); check the model with `pocketclip verify`"
        case .shape(let found, let wanted): "the model gave the shape \(found), \(wanted) wanted; export it again"
        case .accelerator(let asked, let available):
            "\"\(asked)\" cannot be used here; choose from \(available.joined(separator: ", "))"
        }
    }
}

/// Why a job was not measured: `code` is for programs, the message for people.
public struct JobFailure: Equatable, Sendable {
    public let code: FailureCode
    public let message: String

    public init(_ code: FailureCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

/// The codes of failures in results, those of the Python agent first.
public enum FailureCode: String, Sendable, CaseIterable {
    case badJob = "bad-job"
    case runtimeMissing = "runtime-missing"
    case loadFailed = "load-failed"
    case inferenceFailed = "inference-failed"
    case nonFiniteOutput = "non-finite-output"
    case lowBattery = "low-battery"
    case powerSaver = "power-saver"
    case thermal = "thermal"
    case debuggable = "debuggable"
    case acceleratorMissing = "accelerator-missing"
    case modelAltered = "model-altered"
    case pathOutside = "path-outside"
    case noSpace = "no-space"
    case photosUnreadable = "photos-unreadable"
}

/// A file of the app's own cannot be read or written.
public enum StorageError: Equatable, Sendable {
    case unreadable(path: String, reason: String)
    case unwritable(path: String, reason: String)
    case full(path: String)
    case damaged(path: String, reason: String)
    case busy(path: String)

    public var message: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason); copy it again"
        case .unwritable(let path, let reason): "cannot write \(path): \(reason); free some space and try again"
        case .full(let path): "no space is left to write \(path); free some and try again"
        case .damaged(let path, let reason): "\(path) is damaged: \(reason); it is made anew"
        case .busy(let path): "\(path) is being written by somebody else; wait for its end and try again"
        }
    }
}
