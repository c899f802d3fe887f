"""A process that runs one asset in Core AI's runtime: arrays come in on stdin and go out on stdout, as `.npy`."""

from __future__ import annotations

import os
import sys

from pocketclip.export import runtimes
from pocketclip.export.array_pipe import receive_array, send_array
from pocketclip.models.errors import first_line


def main() -> None:
    """Argument: the asset's folder."""
    (path,) = sys.argv[1:]
    # The runtime reports on stdout.
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb") as questions:
        os.dup2(2, 1)
        try:
            session = runtimes.open_session("coreai", path)
            while questions.peek(1):
                send_array(answers, session.run([receive_array(questions)])[0])
            session.close()
        except Exception as error:
            # The parent shows the last line; Apple's bindings raise classes of their own.
            sys.exit(first_line(error))


if __name__ == "__main__":
    main()
