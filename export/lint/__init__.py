"""Lint: rules with codes that look at a tower's module, at the graph of a model file, and at an artefact."""
