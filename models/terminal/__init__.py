"""Terminal: options and errors shared by all programs, tables, and the version."""
