"""Lint: rules with codes that check a tower's module, the graph of a model file, and an artefact."""
