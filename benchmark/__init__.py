"""Measures exported artefacts on devices, keeps every raw sample, and reports."""
