"""A gate for pull requests: what a change does to the artefacts of a model, against the branch that it is for."""
