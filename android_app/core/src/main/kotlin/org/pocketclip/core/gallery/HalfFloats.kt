package org.pocketclip.core.gallery

import kotlin.math.abs
import kotlin.math.round
import kotlin.math.sqrt

/**
 * Half floats (IEEE 754 binary16), of which rows are made, in plain arithmetic.
 *
 * Sign, exponent and mantissa of a half float, moved to where those of a float are, are a float that is [SCALE] times too
 * small: the least numbers of both kinds have the same form. A factor of [SCALE] makes it right, and whoever multiplies by
 * a number of its own anyway puts the factor there.
 */
object HalfFloats {
    /** 2^112: the difference of both exponents' biases. */
    private const val SCALE = 5.192296858534828e33f
    private const val SHIFT = 13

    /** The sign, and the bits that [SHIFT] moves to their places; what the sign fills in between is left out. */
    private const val KEPT = 0x8FFFE000.toInt()

    private const val MAGNITUDE = 0x7FFFFFFF
    private const val INFINITE = 0x7C00
    private const val QUIET = 0x0200

    // As floats: infinity, what rounds to it, the least half float of full precision, and half of the least of all.
    private const val FLOAT_INFINITE = 0x7F800000
    private const val FLOAT_TOO_LARGE = 0x477FF000
    private const val FLOAT_NORMAL = 0x38800000
    private const val FLOAT_TOO_SMALL = 0x33000000
    private const val BIAS = 0x38000000
    private const val LEAST = 5.9604644775390625e-8

    /** Every half float is a float: the value is exact, NaN stays NaN. */
    fun toFloat(half: Short): Float {
        val bits = half.toInt() shl SHIFT and KEPT
        if (half.toInt() and INFINITE == INFINITE) return Float.fromBits(bits or FLOAT_INFINITE)
        return Float.fromBits(bits) * SCALE
    }

    /** The nearest half float; of two that are as near the even one. */
    fun fromFloat(value: Float): Short {
        val bits = value.toRawBits()
        val magnitude = bits and MAGNITUDE
        val half = when {
            magnitude > FLOAT_INFINITE -> INFINITE or QUIET
            magnitude >= FLOAT_TOO_LARGE -> INFINITE
            magnitude >= FLOAT_NORMAL -> magnitude - BIAS + ROUNDING + (magnitude ushr SHIFT and 1) ushr SHIFT
            magnitude > FLOAT_TOO_SMALL -> round(Float.fromBits(magnitude) / LEAST).toInt()
            else -> 0
        }
        return (half or (bits ushr Short.SIZE_BITS and SIGN)).toShort()
    }

    /** A vector as [dot] takes it. Its values must be far below 2^15. */
    fun scaled(vector: FloatArray): FloatArray = FloatArray(vector.size) { vector[it] * SCALE }

    /**
     * The product of a row and a vector, in single precision. The row's values must be finite.
     *
     * @param rows half floats, of which the row begins at [start].
     * @param scaled the vector by [scaled].
     */
    fun dot(rows: ShortArray, start: Int, scaled: FloatArray): Float {
        // Four sums: each addition need not wait for the one before.
        var first = 0f
        var second = 0f
        var third = 0f
        var fourth = 0f
        val whole = scaled.size and 3.inv()
        var place = 0
        while (place < whole) {
            val at = start + place
            first += Float.fromBits(rows[at].toInt() shl SHIFT and KEPT) * scaled[place]
            second += Float.fromBits(rows[at + 1].toInt() shl SHIFT and KEPT) * scaled[place + 1]
            third += Float.fromBits(rows[at + 2].toInt() shl SHIFT and KEPT) * scaled[place + 2]
            fourth += Float.fromBits(rows[at + 3].toInt() shl SHIFT and KEPT) * scaled[place + 3]
            place += 4
        }
        while (place < scaled.size) {
            first += Float.fromBits(rows[start + place].toInt() shl SHIFT and KEPT) * scaled[place]
            place++
        }
        return (first + second) + (third + fourth)
    }

    /** Whether a row has the length 1, as far as half floats can tell; one with NaN or infinity has not. */
    fun isUnit(rows: ShortArray, start: Int, width: Int): Boolean {
        var sum = 0f
        // NaN and infinity are read as numbers above all others here, so that their squares are far from 1.
        for (place in start until start + width) {
            val value = Float.fromBits(rows[place].toInt() shl SHIFT and KEPT) * SCALE
            sum += value * value
        }
        return abs(sqrt(sum) - 1f) <= LENGTH_TOLERANCE
    }

    private const val ROUNDING = 0xFFF
    private const val SIGN = 0x8000

    /** Rounding each value changes a length by at most 2^-11, and sums of single precision add little. */
    private const val LENGTH_TOLERANCE = 0.01f
}
