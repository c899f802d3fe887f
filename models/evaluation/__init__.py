"""Judging models on data sets: zero-shot classification and retrieval, streamed, resumable, with intervals.

Data sets: `datasets`. What one evaluation does: `classification.classify`, `retrieval.retrieve`.
"""
