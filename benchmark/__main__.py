"""`python -m pocketclip.benchmark` is the `bench` program."""

from __future__ import annotations

from pocketclip.benchmark.commands.bench import main

if __name__ == "__main__":
    main()
