"""Qualcomm's libraries for LiteRT's compiler: of another version than ExecuTorch takes, so in a folder of their own.

LiteRT 2.3.0 refuses those of onnxruntime-qnn 2.5.0 (QNN 2.49), ExecuTorch 1.5.1 those of 2.6.0 (QNN 2.50).
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pocketclip.export.npu.qualcomm import PACKAGE, Lacking, host_lacking

VERSION = "2.6.0"
ENVIRONMENT_VARIABLE = "POCKETCLIP_LITERT_QNN"
_HTP = Path("onnxruntime_qnn", "libQnnHtp.so")
# LiteRT's compiler opens it for chips with an audio island, which no phone here uses; the wheel has none.
_NOT_IN_THE_WHEEL, _STAND_IN = "libQnnLpai.so", "libQnnSaver.so"


def folder() -> Path:
    """Where the package is looked for: what the environment variable says, or a folder of the virtual environment."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(named) if named else Path(sys.prefix, "share", "pocketclip", f"{PACKAGE}-{VERSION}")


def lacking() -> Lacking | None:
    """Why graphs cannot be compiled for LiteRT here; None where they can."""
    host = host_lacking()
    if host is not None:
        return host
    place = folder()
    install = (
        f"python -m pip install --no-deps --target {shlex.quote(str(place))} {PACKAGE}=={VERSION} "
        f"({ENVIRONMENT_VARIABLE} names another folder)"
    )
    if not (place / _HTP).is_file():
        return Lacking(f"missing {PACKAGE} {VERSION} in {place}", install)
    found = _version(place)
    if found != VERSION:
        return Lacking(f"{place} holds {PACKAGE} {found}, which does not fit: {VERSION}", install)
    return None


def package_version() -> str:
    """Of the package in the folder, e.g. `onnxruntime-qnn 2.6.0`."""
    return f"{PACKAGE} {VERSION}"


def environment() -> dict[str, str]:
    """The variables of a process of Python whose `onnxruntime_qnn` is that of the folder."""
    above = (str(folder()), *(entry for entry in sys.path if entry))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(above)}


@contextmanager
def library_folder() -> Iterator[Path]:
    """Meanwhile, a folder with all libraries side by side, as LiteRT's compiler looks for them."""
    place = folder()
    with tempfile.TemporaryDirectory(prefix="pocketclip-qnn-") as root:
        links = Path(root)
        for library in (*place.glob("onnxruntime_qnn/*.so"), *place.glob("onnxruntime_qnn.libs/*.so*")):
            (links / library.name).symlink_to(library.resolve())
        (links / _NOT_IN_THE_WHEEL).symlink_to((place / "onnxruntime_qnn" / _STAND_IN).resolve())
        yield links


def _version(place: Path) -> str:
    facts = place / "onnxruntime_qnn" / "build_and_package_info.py"
    if not facts.is_file():
        return "of an unknown version"
    found = re.search(r"^__version__ = '([0-9.]{1,20})'$", facts.read_text(encoding="utf-8", errors="replace"), re.M)
    return found[1] if found else "of an unknown version"
