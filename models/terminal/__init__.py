"""The terminal: options and errors of every program, tables, and the version."""
