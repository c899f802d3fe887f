"""Checkpoints: the forms of files, what a state dictionary means, and weights inherited by changed models."""
