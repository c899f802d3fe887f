"""The data set `pictures`: real pictures with captions, built from packages that registries hold (docs/pictures.md)."""
