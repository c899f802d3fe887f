"""One file per revision. Revisions do not use current code: they must always do what they did when written."""
