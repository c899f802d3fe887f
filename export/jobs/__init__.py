"""Export jobs: planned, bounded in memory, run in worker processes, skipped where nothing changed."""
