package org.pocketclip.runtime.litert

import org.pocketclip.core.AcceleratorMissingException
import org.tensorflow.lite.Delegate

/**
 * The GPU delegate, found by name: it is a library of its own (`tensorflow-lite-gpu` and `-gpu-api`), which an application
 * may leave out.
 */
internal object GpuDelegates {
    private const val DELEGATE = "org.tensorflow.lite.gpu.GpuDelegate"
    private const val OPTIONS = "org.tensorflow.lite.gpu.GpuDelegateFactory\$Options"
    private const val COMPATIBILITY = "org.tensorflow.lite.gpu.CompatibilityList"

    /** Whether the delegate's classes and native code are there and this device is on its list. */
    fun supported(): Boolean = try {
        Class.forName(OPTIONS)
        val list = Class.forName(COMPATIBILITY).getConstructor().newInstance()
        try {
            list.javaClass.getMethod("isDelegateSupportedOnThisDevice").invoke(list) as Boolean
        } finally {
            (list as AutoCloseable).close()
        }
    } catch (_: ReflectiveOperationException) {
        false
    } catch (_: LinkageError) {
        false
    }

    /** @throws AcceleratorMissingException the delegate cannot be made. */
    fun create(): Delegate = try {
        Class.forName(DELEGATE).getConstructor().newInstance() as Delegate
    } catch (error: ReflectiveOperationException) {
        throw AcceleratorMissingException("LiteRT's GPU delegate cannot be made: ${error.cause ?: error}", error)
    } catch (error: LinkageError) {
        throw AcceleratorMissingException("LiteRT's GPU delegate is not in this application: $error", error)
    }
}
