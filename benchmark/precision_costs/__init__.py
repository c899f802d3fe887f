"""Measures what each module precision costs on each processor, and fits the factors that `--max-drop` uses."""
