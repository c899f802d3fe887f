package org.pocketclip.runtime.executorch

import java.io.File
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.RuntimeMissingException
import org.pocketclip.core.runtime.LoadOptions
import org.pocketclip.core.runtime.ModelFile

/** What can be tested where the library cannot be had: that its absence is said, and how delegates are named. */
class ExecuTorchTest {
    @Test
    fun `a missing library is an error in words, not a crash`() {
        val error = assertThrows(RuntimeMissingException::class.java) { ExecuTorch().prepare() }
        assertTrue("org.pytorch:executorch-android-vulkan:1.5.1" in error.message!!, error.message)
        assertThrows(RuntimeMissingException::class.java) {
            ExecuTorch().load(ModelFile(File("model.pte")), LoadOptions())
        }
    }

    @Test
    fun `the accelerator observed is what the program's delegates say`() {
        assertEquals("cpu", ExecuTorch.observed(emptyList()))
        assertEquals("xnnpack", ExecuTorch.observed(listOf("XnnpackBackend", "XnnpackBackend")))
        assertEquals("gpu", ExecuTorch.observed(listOf("VulkanBackend")))
        assertEquals("npu", ExecuTorch.observed(listOf("QnnBackend")))
        assertEquals("QnnBackend+XnnpackBackend", ExecuTorch.observed(listOf("QnnBackend", "XnnpackBackend")))
        assertEquals("NeuropilotBackend", ExecuTorch.observed(listOf("NeuropilotBackend")))
        assertEquals("XnnpackBackend+VulkanBackend", ExecuTorch.observed(listOf("XnnpackBackend", "VulkanBackend")))
    }
}
