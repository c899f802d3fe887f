"""The app's headless core as a Linux program, built once for its sources and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmark.debian_root import only_one
from models import atomic
from models.user_cache import user_cache
from tests.ios_app.toolchain import PINS, ToolchainError, ensure_toolchain, toolchain_folder

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "ios_app"
NAME = "pocketclip-bench"

_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/libexec/swift/lib/swift/linux")


def bench_program(say: Callable[[str], object] = lambda _: None, cache: Path | None = None) -> list[str]:
    """The command that starts the program outside of the root that it was built in.

    Args:
        say: told in words what goes on; a first build takes two minutes, and three with the toolchain.
        cache: where roots and programs are kept; by default the user's cache, as it was before tests chose their own.

    Raises:
        ToolchainError: it cannot be built here.
    """
    cache = cache or Path(os.environ.get("POCKETCLIP_USER_CACHE") or user_cache())
    program = cache / f"{NAME}-{_key()}" / NAME
    with only_one(cache / NAME):
        if not program.is_file():
            _build(program, cache, say)
    root = toolchain_folder(cache)
    loader = root / "lib64" / "ld-linux-x86-64.so.2"
    return [str(loader), "--library-path", ":".join(str(root / each) for each in _LIBRARIES), str(program)]


def _build(program: Path, cache: Path, say: Callable[[str], object]) -> None:
    toolchain = ensure_toolchain(say, cache)
    say(f"building {NAME}, once for its sources")
    # Kept: a change of a few files is built in seconds.
    scratch = cache / f"{NAME}-build"
    scratch.mkdir(parents=True, exist_ok=True)
    command = ["swift", "build", "-c", "release", "--product", NAME]
    built = toolchain.run(
        [*command, "--scratch-path", "/work/build", "--package-path", "/work/ios_app"],
        mounts={PACKAGE: "/work/ios_app", scratch: "/work/build"},
        timeout=900,
    )
    if built.returncode:
        raise ToolchainError(f"{NAME} does not build: {(built.stdout + built.stderr)[-2000:]}")
    with atomic.new_directory(program.parent) as folder:
        shutil.copy2(scratch / "release" / NAME, folder / NAME)


def _key() -> str:
    whole = hashlib.sha256(PINS.key.encode())
    for path in sorted([PACKAGE / "Package.swift", *PACKAGE.glob("Sources/**/*.swift")]):
        whole.update(f"{path.relative_to(PACKAGE)}\0".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]
