"""`python -m export`: the `export` program."""

from export.cli import main

if __name__ == "__main__":
    main()
