package org.pocketclip.app.measure

import java.io.File

/** Measures in a process of its own, as memory and threads of this one would count. */
fun interface Measurer {
    /**
     * @param progress is told a few words now and then.
     * @return the file with the result.
     * @throws org.pocketclip.core.MachineException the process ended without a result.
     */
    suspend fun measure(request: MeasureRequest, progress: (String) -> Unit): File
}
