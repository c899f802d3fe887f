"""Statistics of records: summaries, verdicts, and their formatting."""
