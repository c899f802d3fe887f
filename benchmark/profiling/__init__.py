"""Time by op, in a separate pass, by each runtime's own profiler."""
