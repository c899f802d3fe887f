package org.pocketclip.core.runtime

/** Names of phones' chips, as bundles have them. */
object Chips {
    // Of one chip there are bins, which Qualcomm tells apart behind the name: SM8650-AC.
    private val NAME = Regex("([A-Z]{2,3}[0-9]{3,5}[A-Z]{0,3})(-[A-Z0-9]{1,4})?")

    /** The chip that a system [told], e.g. `SM8650`; null where it is not told, or no such name. */
    fun name(told: String?): String? = told?.trim()?.let(NAME::matchEntire)?.let { it.groupValues[1] }
}
