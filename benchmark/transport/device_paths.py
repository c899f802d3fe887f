"""Paths on a device. What a file names stays below a folder of ours, and nothing but what is ours is ever removed.

A folder is ours where its name begins with `pocketclip`, or is the app's. Every shell line that removes something is
made here: it is checked here as text, and on the device once more after links have been resolved.
"""

from __future__ import annotations

import shlex

from pocketclip.benchmark.errors import TransportError
from pocketclip.models.untrusted.names import RELATIVE_PATH, SHA256, Matching

# Folders that we make on devices have this at the beginning of their names; the app's is named for its package.
OURS = "pocketclip"
APP_PACKAGE = "org.pocketclip.bench"
WORKSPACE = f"{OURS}-"
# `secrets.token_hex(6)`, in a form that every shell's and find's patterns have.
_WORKSPACE_NAMES = WORKSPACE + "[0-9a-f]" * 12
# Characters of a folder's hash in the names of folders: those of an artefact and of inputs.
_SHORT = 16
_REFUSED = 3

# Folders above ours belong to the device and its user: any name, but no step back and nothing that ends a line.
ABSOLUTE_PATH = Matching(
    r"(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+)+",
    400,
    "an absolute path of a device, without `.`, `..`, empty parts and control characters",
)

# Our own folder may lie where the device's user likes; what is below it may not be reached through a link.
_REMOVE_OWN = """\
(if [ -e {path} ] || [ -L {path} ]; then
p=$(cd -P {parent} && pwd -P) || {refuse}
rm -rf "${{p%/}}"/{name}
fi)"""
_REMOVE_BELOW = """\
(if [ -e {path} ] || [ -L {path} ]; then
p=$(cd -P {parent} && pwd -P) && r=$(cd -P {own} && pwd -P) || {refuse}
case "$p/" in "$r"/*) ;; *) {refuse} ;; esac
case "$r/" in */{ours}*/*|*/{package}/*) ;; *) {refuse} ;; esac
rm -rf "$p"/{name}
fi)"""
_REFUSE = "{{ echo {words} >&2; exit {code}; }}"

_LEFTOVERS = """\
p=$(cd -P {parent} 2>/dev/null && pwd -P) && \
find "$p" -maxdepth 1 -type d -name {names} {age}-exec rm -rf {{}} + 2>/dev/null; true"""


class DevicePathError(TransportError):
    """A path may not be used on a device: it is not below a folder of ours, or cannot be named."""


def below(folder: str, relative: str) -> str:
    """The path of a file below a folder of the device.

    Raises:
        DevicePathError: `relative` leaves the folder, or is not made of plain names.
    """
    fault = RELATIVE_PATH.fault(relative)
    if fault is not None:
        raise DevicePathError(f"a path below {folder} {fault}", fix="do not use the file that names it")
    return f"{folder}/{relative}"


def short_hash(sha256: str) -> str:
    """The name of a folder or file for a hash that was read from outside.

    Raises:
        DevicePathError: it is no hash.
    """
    fault = SHA256.fault(sha256)
    if fault is not None:
        raise DevicePathError(
            f"a hash that names a folder on the device {fault}", fix="do not use the file that gives it"
        )
    return sha256[:_SHORT]


def removal_line(path: str) -> str:
    """The shell line that removes a file or folder of ours with all that is in it; a missing one is no error.

    On the device, links in the folders above it are resolved before: it ends with code 3, and removes nothing, where
    the path then leaves our folder. A link itself is removed, not what it points to.

    Raises:
        DevicePathError: the path is empty, relative, has a step back, or no part of it is a folder of ours.
    """
    check_absolute(path)
    parts = path.split("/")[1:]
    own = next((place for place, part in enumerate(parts) if _is_ours(part)), None)
    if own is None:
        raise DevicePathError(f"{path!r} is not removed: no part of it is a PocketCLIP folder")
    fault = RELATIVE_PATH.fault("/".join(parts[own:]))
    if fault is not None:
        raise DevicePathError(f"{path!r} is not removed: the path below PocketCLIP's folder {fault}")
    refusal = f"refused: {path} is not below PocketCLIP's folder after resolving links"
    return (_REMOVE_OWN if own == len(parts) - 1 else _REMOVE_BELOW).format(
        path=shlex.quote(path),
        parent=shlex.quote("/" + "/".join(parts[:-1])),
        own=shlex.quote("/" + "/".join(parts[: own + 1])),
        name=shlex.quote(parts[-1]),
        ours=OURS,
        package=APP_PACKAGE,
        refuse=_REFUSE.format(words=shlex.quote(refusal), code=_REFUSED),
    )


def leftovers_line(parent: str, *, older_than_a_day: bool) -> str:
    """The shell line that removes workspaces of ours below a folder which runs that were killed left there.

    Raises:
        DevicePathError: the folder is empty, relative or has a step back.
    """
    check_absolute(parent)
    return _LEFTOVERS.format(
        parent=shlex.quote(parent),
        names=shlex.quote(_WORKSPACE_NAMES),
        age="-mtime +0 " if older_than_a_day else "",
    )


def check_absolute(path: str) -> None:
    """Refuses what is no absolute path of the device.

    Raises:
        DevicePathError: it is empty, relative, has a step back or a control character.
    """
    fault = ABSOLUTE_PATH.fault(path)
    if fault is not None:
        raise DevicePathError(f"a folder on the device {fault}", fix="give another one")


def _is_ours(part: str) -> bool:
    return part.startswith(OURS) or part == APP_PACKAGE
