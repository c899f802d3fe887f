package org.pocketclip.core.ranking

import org.pocketclip.core.NonFiniteException
import org.pocketclip.core.bundle.Articles
import org.pocketclip.core.bundle.PromptTemplates

/** Sentences about a label, and what they say together. */
class Prompts(private val templates: PromptTemplates) {
    /** The sentences about a label, one a template. */
    fun of(label: String, most: Int = Int.MAX_VALUE): List<String> {
        require(most >= 1) { "a label needs at least one prompt, got $most" }
        return templates.texts.take(most).map { text ->
            val filled = text.replace("{}", label)
            if (templates.articles == Articles.ENGLISH) articles(filled) else filled
        }
    }

    private fun articles(text: String): String = ARTICLE.replace(text) { found ->
        // Python's \b is Unicode's, Java's and Android's are not the same: so the character before is looked at here.
        val before = text.codePointBeforeOrNull(found.range.first)
        if (before != null && (Character.isLetterOrDigit(before) || before == '_'.code)) found.value else "an "
    }

    companion object {
        private val ARTICLE = Regex("a (?=[aeiou])")

        /**
         * The normalised mean of normalised embeddings (CLIP, section 3.1.4).
         *
         * @throws NonFiniteException they cancel each other out.
         */
        fun mean(embeddings: List<FloatArray>): FloatArray {
            require(embeddings.isNotEmpty()) { "the mean of no embeddings" }
            val sum = DoubleArray(embeddings[0].size)
            for (embedding in embeddings) {
                for (place in sum.indices) sum[place] += embedding[place].toDouble()
            }
            return Ranking.normalized(FloatArray(sum.size) { (sum[it] / embeddings.size).toFloat() })
        }

        private fun String.codePointBeforeOrNull(place: Int): Int? = if (place == 0) null else codePointBefore(place)
    }
}
