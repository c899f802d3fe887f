package org.pocketclip.core.gallery

import java.util.Random
import kotlin.math.abs
import kotlin.math.pow
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.pocketclip.core.ranking.Ranking

class HalfFloatsTest {
    /** What the standard says a half float means. */
    private fun meaning(half: Int): Double {
        val sign = if (half and 0x8000 == 0) 1.0 else -1.0
        val exponent = half shr 10 and 31
        val mantissa = half and 1023
        return sign * when (exponent) {
            0 -> mantissa * 2.0.pow(-24)
            31 -> if (mantissa == 0) Double.POSITIVE_INFINITY else Double.NaN
            else -> (1024 + mantissa) * 2.0.pow(exponent - 25)
        }
    }

    @Test
    fun `each half float is the number that the standard says, and comes back`() {
        for (half in 0..0xFFFF) {
            val found = HalfFloats.toFloat(half.toShort())
            val wanted = meaning(half)
            if (wanted.isNaN()) {
                assertTrue(found.isNaN(), "$half")
                assertTrue(HalfFloats.toFloat(HalfFloats.fromFloat(found)).isNaN(), "$half")
            } else {
                assertEquals(wanted, found.toDouble(), "$half")
                assertEquals(half.toShort(), HalfFloats.fromFloat(found), "$half")
            }
        }
    }

    @Test
    fun `numbers between two become the nearer one, and the even one where both are as near`() {
        for (half in 0 until 0x7C00) {
            val (low, high) = meaning(half) to if (half == 0x7BFF) 65536.0 else meaning(half + 1)
            val middle = ((low + high) / 2).toFloat()
            val even = if (half and 1 == 0) half else half + 1
            assertEquals(half.toShort(), HalfFloats.fromFloat(Math.nextDown(middle)), "below the middle of $half")
            assertEquals(even.toShort(), HalfFloats.fromFloat(middle), "the middle of $half")
            assertEquals((half + 1).toShort(), HalfFloats.fromFloat(Math.nextUp(middle)), "above the middle of $half")
            assertEquals((even or 0x8000).toShort(), HalfFloats.fromFloat(-middle), "the negative middle of $half")
        }
        assertEquals(0x7C00.toShort(), HalfFloats.fromFloat(Float.MAX_VALUE))
        assertEquals(0.toShort(), HalfFloats.fromFloat(Float.MIN_VALUE))
        assertEquals(0x8000.toShort(), HalfFloats.fromFloat(-0f))
    }

    @Test
    fun `products are those of the numbers, whatever the width and however small they are`() {
        val random = Random(3)
        for (width in listOf(1, 2, 3, 4, 5, 24, 511, 512)) {
            val row = ShortArray(width + 3) { HalfFloats.fromFloat((random.nextGaussian() * 2.0.pow(-random.nextInt(26))).toFloat()) }
            val vector = FloatArray(width) { random.nextGaussian().toFloat() }
            val wanted = (0 until width).sumOf { HalfFloats.toFloat(row[it + 3]).toDouble() * vector[it] }
            val scale = (0 until width).sumOf { abs(HalfFloats.toFloat(row[it + 3]).toDouble() * vector[it]) }
            assertEquals(wanted, HalfFloats.dot(row, 3, HalfFloats.scaled(vector)).toDouble(), scale * 1e-6 + 1e-12)
        }
    }

    @Test
    fun `a row has the length 1, or it has not`() {
        val unit = Ranking.normalized(FloatArray(512) { (it % 7 - 3) / 10f })
        val row = ShortArray(514) { HalfFloats.fromFloat(unit.getOrElse(it - 1) { 9f }) }
        assertTrue(HalfFloats.isUnit(row, 1, 512))
        for (odd in listOf(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 2f)) {
            assertFalse(HalfFloats.isUnit(row.copyOf().also { it[7] = HalfFloats.fromFloat(odd) }, 1, 512), "$odd")
        }
        assertFalse(HalfFloats.isUnit(ShortArray(512), 0, 512))
        assertTrue(HalfFloats.isUnit(shortArrayOf(0x3C00, 1), 0, 2), "the least number does no harm")
    }
}
