package org.pocketclip.runtime.litert

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.AcceleratorMissingException
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.Accelerator

/** Its Java half alone is here: the native half is for Android. */
class LiteRtTest {
    @Test
    fun `a missing native library is an error in words and leaves no version`() {
        val runtime = LiteRt()
        val error = assertThrows(RuntimeMissingException::class.java) { runtime.prepare() }
        assertTrue("tensorflow-lite" in error.message!!, error.message)
        assertNull(runtime.version)
    }

    @Test
    fun `the graphics processor is only offered where its delegate is complete`() {
        assertFalse(GpuDelegates.supported())
        assertThrows(AcceleratorMissingException::class.java) { GpuDelegates.create() }
    }

    @Test
    fun `nothing is claimed that the library does not say`() {
        assertEquals("cpu", LiteRt.observed(Accelerator.CPU))
        assertEquals("gpu", LiteRt.observed(Accelerator.GPU))
        assertNull(LiteRt.observed(Accelerator.XNNPACK))
    }
}
