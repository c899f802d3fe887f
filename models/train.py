"""`python -m pocketclip.models.train`: the `train` command as torchrun starts it, once for every process."""

from __future__ import annotations

from pocketclip.models.commands.train import train_command
from pocketclip.models.terminal import command_line


def main() -> None:
    """Runs the command; a user's mistake is one line, from whichever process met it."""
    app = command_line.new_app("pocketclip.models.train", "Trains an image-text model.")
    app.command()(train_command)
    command_line.run(app)


if __name__ == "__main__":
    main()
