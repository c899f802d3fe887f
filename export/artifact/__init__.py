"""Artefact folders: the manifest, what it may contain, and how artefacts are read and checked."""
