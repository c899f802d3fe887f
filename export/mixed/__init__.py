"""Mixed precision: which modules of a tower stay finer than the rest, how that is found, and how it is replayed."""
