"""Phones that an app measures on: the files that pass between it and us, and how it is driven. Android and iOS."""
