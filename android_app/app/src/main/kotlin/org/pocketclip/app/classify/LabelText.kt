package org.pocketclip.app.classify

/** Labels as people type them. */
object LabelText {
    /** Labels between commas or line ends, without spaces around them; empty ones and repetitions are left out. */
    fun parse(text: String): List<String> =
        text.split(',', '\n', '，', '、').map { it.trim() }.filter { it.isNotEmpty() }.distinct()

    fun join(labels: List<String>): String = labels.joinToString(", ")
}
