"""Measures what precisions of modules cost on each processor, and fits the factors that `--max-drop` predicts with."""
