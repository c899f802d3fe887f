"""Intervals, tests, and the rule that judges a difference."""
