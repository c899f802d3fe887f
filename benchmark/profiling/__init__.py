"""Time by op, in a pass of its own: each runtime's own profiler where it has one, ablation where it has none."""
