"""Parses the output of Android's own programs, versions 8 to 15. Each module reads one program's output."""
