"""What an app's console says of the way it ended, as both programs pass it on."""

from __future__ import annotations

import re
from dataclasses import dataclass

RESULT_LINE = "POCKETCLIP-RESULT"

# pymobiledevice3 puts a time and the process in front of a line.
ANNOUNCED = re.compile(rf"\b{RESULT_LINE} ([0-9]{{1,12}}) ([0-9a-f]{{64}})\b")
_ENDINGS = (
    # devicectl --console
    re.compile(r"App terminated due to signal ([0-9]{1,3})"),
    # pymobiledevice3 developer dvt launch --stream
    re.compile(r"Process with PID \d+ terminated with exit code \S+ or crashing signal ([0-9]{1,3}|None)"),
)
_KILL = 9


@dataclass(frozen=True)
class Told:
    """What the console told: the answer's length and SHA-256, and the signal that ended the app."""

    announced: tuple[str, str] | None
    signal: int | None

    @property
    def killed(self) -> bool:
        """Whether the system ended it, mostly for memory, a wait that was too long or a person's swipe."""
        return self.signal == _KILL


def read_console(text: str) -> Told:
    """What the console's lines tell; the last announcement counts."""
    announced = ANNOUNCED.findall(text)
    signals = [found for pattern in _ENDINGS for found in pattern.findall(text) if found.isdecimal()]
    return Told(announced[-1] if announced else None, int(signals[-1]) if signals else None)


def is_ending(line: str) -> bool:
    """Whether a line says that nothing more is to come: an announcement, or the app's end."""
    return any(pattern.search(line) for pattern in (ANNOUNCED, *_ENDINGS))
