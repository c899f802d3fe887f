"""From an encoded image to a model's pixels, by one rule for Python, Kotlin and Swift."""
