"""From an encoded image to the pixels of a model: one rule for Python, Kotlin and Swift."""
