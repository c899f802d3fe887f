"""`python -m pocketclip.export`: the `export` program."""

from pocketclip.export.commands.export import main

if __name__ == "__main__":
    main()
