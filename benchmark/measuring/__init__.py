"""Whole benches: the order of launches, the checks before them, and cooling down."""
