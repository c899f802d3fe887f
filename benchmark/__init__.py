"""Measures artefacts on devices, keeps every raw sample, and writes reports."""
