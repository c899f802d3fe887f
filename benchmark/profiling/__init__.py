"""Time by op, in a separate pass: uses the runtime's profiler if it has one, otherwise ablation."""
