"""`python -m benchmark` is the `bench` program."""

from __future__ import annotations

from benchmark.cli import main

if __name__ == "__main__":
    main()
