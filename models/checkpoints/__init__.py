"""Checkpoints: file formats, layouts of state dictionaries, and the sources of weights."""
