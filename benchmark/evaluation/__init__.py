"""Accuracy on data sets: who is judged, how, and what is recorded."""
