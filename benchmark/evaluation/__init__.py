"""Accuracy on data sets: contestants, evaluation, and records."""
