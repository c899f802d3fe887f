"""`df -k` and `stat -f`: how much room a folder's file system has."""

from __future__ import annotations

import re
import shlex

from pocketclip.benchmark.transport.shell import ShellTransport
from pocketclip.models.untrusted.numbers import parse_whole


def parse_free_bytes(text: str) -> int | None:
    """Free bytes, from either program; None where the words are neither's.

    `df -k FOLDER` (toybox, busybox) has a heading and a line, which a long name of a device breaks in two;
    `stat -f -c '%a %S' FOLDER` is two numbers, free blocks and their size.
    """
    words = text.split()
    numbers = [number for word in words[:2] if (number := parse_whole(word)) is not None]
    if len(words) == len(numbers) == 2:
        return numbers[0] * numbers[1]
    lines = text.strip().splitlines()
    if len(lines) < 2 or not re.search(r"\bAvailable\b|\bFree\b", lines[0]):
        return None
    # Size, used, free, then the share in use: the device's name before them may hold anything.
    found = re.search(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+/\S*\s*$", "\n".join(lines[1:]))
    free = parse_whole(found[3]) if found else None
    return None if free is None else free * 1024


def free_bytes(transport: ShellTransport, folder: str) -> int | None:
    """Room in a folder's file system; None where the phone does not tell."""
    quoted = shlex.quote(folder)
    # `df` alone would do, but it wants /proc/mounts, which not every root has.
    line = f"stat -f -c '%a %S' {quoted} 2>/dev/null || df -k {quoted} 2>/dev/null"
    return parse_free_bytes(transport.shell(line).stdout)
