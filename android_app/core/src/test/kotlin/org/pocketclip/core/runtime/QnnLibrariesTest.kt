package org.pocketclip.core.runtime

import java.io.File
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

class QnnLibrariesTest {
    @TempDir
    lateinit var temporary: Path

    private fun version(before: Int, content: String): String? {
        val folder = temporary.toFile()
        File(folder, "libQnnHtp.so").writeBytes(ByteArray(before) + content.toByteArray() + ByteArray(9))
        return checkNotNull(QnnLibraries.find(folder)).version
    }

    @Test
    fun `the version stands in the library, wherever its bytes are`() {
        assertNull(QnnLibraries.find(temporary.toFile()))
        assertNull(QnnLibraries.find(null))
        for (before in listOf(0, 7, 65_500, 65_510, 65_536, 65_537, 131_070)) {
            assertEquals("v2.49.40.260810104044", version(before, "v2.49.40.260810104044"), "$before")
        }
        assertNull(version(0, "version 2.49"))
        assertTrue(checkNotNull(QnnLibraries.find(temporary.toFile())).backend.isFile)
    }

    @Test
    fun `older libraries are refused, and nothing is said where a version is not known`() {
        val prepared = "v2.49.40.260810104044"
        assertNull(QnnLibraries.refusal(prepared, prepared))
        assertNull(QnnLibraries.refusal(prepared, "v2.50.0.1"))
        assertNull(QnnLibraries.refusal(prepared, "v3.1.0.1"))
        assertNull(QnnLibraries.refusal(prepared, null))
        assertNull(QnnLibraries.refusal("newest", "v2.1.1.1"))
        assertEquals(
            "its graph was prepared by QNN 2.49.40, this application has the older QNN 2.49.9",
            QnnLibraries.refusal(prepared, "v2.49.9.1"),
        )
        assertTrue(QnnLibraries.refusal("2.50", "v2.49.40.260810104044") != null)
    }

    @Test
    fun `chips by the names that systems tell`() {
        assertEquals("SM8650", Chips.name("SM8650"))
        assertEquals("SM8650", Chips.name(" SM8650-AC\n"))
        assertEquals("SM8750P", Chips.name("SM8750P"))
        assertNull(Chips.name(null))
        assertNull(Chips.name("unknown"))
        assertNull(Chips.name("s5e9945"))
        assertNull(Chips.name("Tensor G3"))
    }
}
