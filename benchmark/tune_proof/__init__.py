"""The proof of `tune`: on a space whose every point was measured and trained, how much of its front it finds."""
