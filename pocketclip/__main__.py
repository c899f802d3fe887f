"""`python -m pocketclip`: every program of the project under one name."""

from __future__ import annotations

from pocketclip.cli import main

if __name__ == "__main__":
    main()
