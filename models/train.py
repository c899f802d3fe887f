"""`python -m models.train`: the `train` command as torchrun starts it, once for every process."""

from __future__ import annotations

from models import command_line
from models.train_cli import train_command


def main() -> None:
    """Runs the command; a user's mistake is one line, from whichever process met it."""
    app = command_line.new_app("models.train", "Train an image-text model.")
    app.command()(train_command)
    command_line.run(app)


if __name__ == "__main__":
    main()
