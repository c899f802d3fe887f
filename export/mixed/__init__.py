"""Mixed precision: chooses which modules of a tower keep a higher precision, and replays such plans."""
