package org.pocketclip.core.bench

import java.io.IOException
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.InferenceException
import org.pocketclip.core.LoadException
import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.PhotosUnreadableException
import org.pocketclip.core.PocketClipException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.records.Failure
import org.pocketclip.core.records.FailureCode
import org.pocketclip.core.worded

/** A request that cannot be carried out: it becomes the answer's failure. */
internal class RequestFailure(val code: FailureCode, message: String, cause: Throwable? = null) : Exception(message, cause) {
    val failure: Failure get() = Failure(code, message.orEmpty())
}

/** What an error means to the harness. */
internal fun failureOf(error: Throwable): Failure = when (error) {
    is RequestFailure -> error.failure
    is RuntimeMissingException -> Failure(FailureCode.RUNTIME_MISSING, error.message.orEmpty())
    is AcceleratorMissingException -> Failure(FailureCode.ACCELERATOR_MISSING, error.message.orEmpty())
    is LoadException -> Failure(FailureCode.LOAD_FAILED, error.message.orEmpty())
    is InferenceException -> Failure(FailureCode.INFERENCE_FAILED, error.message.orEmpty())
    is NonFiniteException -> Failure(FailureCode.NON_FINITE_OUTPUT, error.message.orEmpty())
    is PhotosUnreadableException -> Failure(FailureCode.PHOTOS_UNREADABLE, error.message.orEmpty())
    is OutOfMemoryError -> Failure(FailureCode.LOAD_FAILED, "the application's memory is used up: ${worded(error)}")
    is IOException -> Failure(
        if (spaceIsOut(error)) FailureCode.NO_SPACE else FailureCode.BAD_JOB,
        "a file cannot be read or written: ${worded(error)}",
    )
    is PocketClipException -> Failure(FailureCode.BAD_JOB, error.message.orEmpty())
    else -> throw error
}

// The system's word for it; there is no class of its own.
private fun spaceIsOut(error: IOException): Boolean =
    error.message.orEmpty().let { "No space left" in it || "ENOSPC" in it || "Disk quota exceeded" in it }
