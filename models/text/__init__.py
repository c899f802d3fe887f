"""Text: the tokenizer, its vocabularies, and lists of words from files."""
