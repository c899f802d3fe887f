"""Intervals, tests, and the rule by which a difference is judged."""
