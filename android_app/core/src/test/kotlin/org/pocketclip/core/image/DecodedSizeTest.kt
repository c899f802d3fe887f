package org.pocketclip.core.image

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.InputException

class DecodedSizeTest {
    @Test
    fun `large photos are read smaller, but never below what models resize from`() {
        assertEquals(1, DecodedSize.sampling(1024, 1024))
        assertEquals(2, DecodedSize.sampling(4000, 3000))
        assertEquals(4, DecodedSize.sampling(8000, 6000))
        assertEquals(1, DecodedSize.sampling(20_000, 900))
        assertEquals(1, DecodedSize.sampling(-1, -1))
    }

    @Test
    fun `what would take a phone's memory is refused`() {
        val error = assertThrows(InputException::class.java) { DecodedSize.sampling(60_000, 1000) }
        assertTrue("60000 x 1000 pixels is too large" in error.message.orEmpty(), error.message)
        assertThrows(InputException::class.java) { DecodedSize.sampling(Int.MAX_VALUE, 2000) }
    }
}
