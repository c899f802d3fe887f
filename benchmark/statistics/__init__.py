"""Statistics of records: summaries, verdicts, and how both are written."""
