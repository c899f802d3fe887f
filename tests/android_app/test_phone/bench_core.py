"""The app's bench core for the JVM: built by Maven from the app's own sources, once for each state of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pocketclip.benchmark.arm64.debian_root import only_one
from pocketclip.benchmark.errors import EmulatorError
from pocketclip.models import atomic
from pocketclip.models.user_cache import user_cache

APP = Path(__file__).parents[3] / "android_app"
# What the JVM build is made of.
MODULES = ("core", "runtime-onnxruntime", "proof/core", "proof/runtime-onnxruntime", "proof/bench-cli")
ABI = "x86_64"

_NATIVES = "ai/onnxruntime/native/linux-x64/"
_BUILD_SECONDS = 600
_LAST_LINES = 5

Say = Callable[[str], object]


def ensure_core(say: Say = lambda _: None, cache: Path | None = None) -> Path:
    """A folder with `classes/*.jar` and `lib/x86_64/*.so`, built first where the cache has none for these sources.

    Raises:
        EmulatorError: Maven is missing or fails; the message has its last words.
    """
    folder = (cache or user_cache()) / f"bench-core-{sources_key()}"
    with only_one(folder):
        if not folder.is_dir():
            if shutil.which("mvn") is None:
                raise EmulatorError("building the app's bench core needs Maven; on Debian: apt-get install maven")
            say("building the app's bench core for the JVM, once for these sources")
            with atomic.new_directory(folder) as built:
                _build(built)
    return folder


def sources_key() -> str:
    """A hash over every file that the build reads."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(APP).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield APP / "proof" / "pom.xml"
    for module in MODULES:
        for path in (APP / module).rglob("*"):
            if path.is_file() and not {"target", "build", "test"} & set(path.relative_to(APP).parts):
                yield path


def _build(goal: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pocketclip-core-") as name:
        # Built from a copy: another Maven may be at work in the tree itself.
        copy = Path(name) / APP.name
        for path in _sources():
            target = copy / path.relative_to(APP)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _maven(copy / "proof")
        target = copy / "proof" / "bench-cli" / "target"
        classes, natives = goal / "classes", goal / "lib" / ABI
        classes.mkdir()
        natives.mkdir(parents=True)
        for jar in (target / "bench-cli.jar", *sorted((target / "lib").glob("*.jar"))):
            _split(jar, classes / jar.name, natives)


def _maven(folder: Path) -> None:
    command = ["mvn", "--batch-mode", "--quiet", "--projects=bench-cli", "--also-make", "package"]
    command += ["-Dmaven.test.skip=true", "-Dkotlin.compiler.daemon=false"]
    # What is in Maven's own store is enough, mostly; its servers are asked where it is not.
    for offline in (["--offline"], []):
        ended = subprocess.run(
            [*command, *offline], cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
        if ended.returncode == 0:
            return
    lines = [line.strip() for line in f"{ended.stdout}\n{ended.stderr}".splitlines() if line.strip()]
    raise EmulatorError(f"Maven does not build the app's bench core: {' | '.join(lines[:_LAST_LINES])}")


def _split(jar: Path, classes: Path, natives: Path) -> None:
    """Copies a jar without its natives; those of this system go to a folder, as Android keeps them."""
    with zipfile.ZipFile(jar) as source, zipfile.ZipFile(classes, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for entry in source.infolist():
            if entry.filename.startswith(_NATIVES) and not entry.is_dir():
                (natives / os.path.basename(entry.filename)).write_bytes(source.read(entry))
            elif "/native/" not in entry.filename:
                out.writestr(entry, source.read(entry))
