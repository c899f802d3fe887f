package org.pocketclip.core

/**
 * Everything that can go wrong here and is not a mistake in a program.
 *
 * The message says what failed, what was found, what is allowed and what to do next; it can be shown as it is.
 */
sealed class PocketClipException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** A bundle cannot be used. */
sealed class BundleException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** There is no bundle at a place. */
class BundleMissingException(message: String) : BundleException(message)

/** A bundle was made by a newer version, which this one cannot read. */
class BundleTooNewException(message: String) : BundleException(message)

/** A bundle is for phones of another kind. */
class BundleForeignException(message: String) : BundleException(message)

/** A bundle's manifest is malformed, or its parts do not belong together. */
class BundleMalformedException(message: String, cause: Throwable? = null) : BundleException(message, cause)

/** A bundle names or holds what could leave its folder, or what nobody vouches for: never use it. */
class BundleHostileException(message: String) : BundleException(message)

/** A file of a bundle is missing, truncated or altered, or holds values that are not finite. */
class BundleCorruptException(message: String, cause: Throwable? = null) : BundleException(message, cause)

/** A model cannot be loaded or run. */
sealed class ExecutionException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** The runtime, or its native library for this processor, is not in the application. */
class RuntimeMissingException(message: String, cause: Throwable? = null) : ExecutionException(message, cause)

/** The accelerator asked for is not in this build of the runtime, or not in this device. */
class AcceleratorMissingException(message: String, cause: Throwable? = null) : ExecutionException(message, cause)

/** The runtime refuses the model file. */
class LoadException(message: String, cause: Throwable? = null) : ExecutionException(message, cause)

/** The runtime failed while it ran the model, or gave what it may not give. */
class InferenceException(message: String, cause: Throwable? = null) : ExecutionException(message, cause)

/** A model gave NaN or infinity. */
class NonFiniteException(message: String) : ExecutionException(message)

/** What was given to a function that people feed: an image, labels or a file of theirs. */
class InputException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** None of several photographs can be decoded. */
class PhotosUnreadableException(message: String) : PocketClipException(message)

/** An index of photos cannot be used. */
sealed class GalleryException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** There is no index at a place. */
class GalleryMissingException(message: String) : GalleryException(message)

/** An index has another version than this program reads. */
class GalleryVersionException(message: String) : GalleryException(message)

/** An index is malformed, or its rows are not what an index holds: index the photos again. */
class GalleryDamagedException(message: String, cause: Throwable? = null) : GalleryException(message, cause)

/** An index has embeddings of another bundle, or of another folder's photos. */
class GalleryOtherException(message: String) : GalleryException(message)

/** Somebody else writes into an index. */
class GalleryBusyException(message: String) : GalleryException(message)

/** A machine does not do what was asked of it, e.g. keep a process to some of its cores. */
class MachineException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** A measurement was stopped by whoever started it. */
class MeasurementCancelledException(message: String) : PocketClipException(message)

/** A JSON document does not have the form that it must have. */
class DocumentException(message: String, cause: Throwable? = null) : PocketClipException(message, cause)

/** An error's class and first line, as records word it. */
fun worded(error: Throwable): String {
    val line = error.message.orEmpty().trim().lineSequence().first().take(LONGEST_LINE)
    return if (line.isEmpty()) error.javaClass.simpleName else "${error.javaClass.simpleName}: $line"
}

private const val LONGEST_LINE = 300
