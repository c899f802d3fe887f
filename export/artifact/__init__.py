"""The artefact folder: its manifest, what the manifest may say, and how it is read and checked."""
