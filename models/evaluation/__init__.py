"""Evaluation on data sets: zero-shot classification and retrieval, streamed, resumable, with intervals.

Data sets: `datasets`. Evaluations: `classification.classify`, `retrieval.retrieve`.
"""
