package org.pocketclip.core.measuring

import org.pocketclip.core.runtime.Accelerator

/** Runtimes fall back to the processor silently: a time of the NPU counts only where the runtime says that it was there. */
object Fallbacks {
    /** Why what was [observed] is not what was [asked] for, in words; null where it is. Of other accelerators, all counts. */
    fun reason(asked: String, observed: String?): String? = when {
        asked != Accelerator.NPU.id || observed == Accelerator.NPU.id -> null
        observed == null -> "npu was asked for, and the runtime does not tell what executed the model"
        else -> "npu was asked for, and $observed executed the model"
    }
}
