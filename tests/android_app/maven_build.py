"""Builds the Kotlin sources by Maven, once for a session of tests."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]
SOURCES = REPOSITORY / "android_app"
GOLDENS = REPOSITORY / "tests" / "app_golden"
MODULES = ("core", "runtime-onnxruntime", "bench-cli")
_TIMEOUT_SECONDS = 540
# A compiler that runs once is done before the second stage of the JVM's own compiler pays: a third less.
_MAVEN_OPTS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx1g"
# What Maven prints where it has neither a network nor what it once fetched.
_UNFETCHED = re.compile(r"Could not (?:resolve|transfer|find artifact)|offline mode and the artifact|was not found in")


@dataclass(frozen=True)
class Build:
    """A finished build: `proof` is its reactor, `output` what Maven printed, `passed` whether all of it worked."""

    proof: Path
    output: str
    passed: bool

    @property
    def bench_cli(self) -> Path:
        """The bench core as a program of the JVM; its libraries lie beside it."""
        return self.proof / "bench-cli" / "target" / "bench-cli.jar"

    def test_cases(self, module: str) -> list[ElementTree.Element]:
        """Every test case that a module ran, as Surefire reports it."""
        reports = sorted((self.proof / module / "target" / "surefire-reports").glob("TEST-*.xml"))
        return [case for report in reports for case in ElementTree.parse(report).iter("testcase")]


def require_maven() -> None:
    """Skips the test where Maven or Java is not installed."""
    for program in ("mvn", "java"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: the Kotlin sources are built by Maven")


def sources_hash() -> str:
    """Of everything that goes into a build."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def build(cache: Path, goal: str, *properties: str) -> Build:
    """Runs a goal on a copy of the sources, so that nothing is left in the repository; the same goal is run once.

    Args:
        cache: where builds of this session are kept.
        goal: `package` or `verify`.
        properties: of Maven, as `-Dname=value`.
    """
    require_maven()
    key = hashlib.sha256("\0".join([sources_hash(), goal, *properties]).encode()).hexdigest()[:16]
    folder = cache / f"android-{goal}-{key}"
    log = folder / "maven.log"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{folder.name}.lock"):
        if not log.is_file():
            _copy(folder)
            text = _run(folder / "proof", goal, properties)
            log.write_text(text)
    output = log.read_text()
    if _UNFETCHED.search(output):
        pytest.skip("Maven has no network, and its plugins or the libraries were never fetched")
    return Build(folder / "proof", output, "BUILD SUCCESS" in output)


def _run(proof: Path, goal: str, properties: tuple[str, ...]) -> str:
    command = ["mvn", "-B", "--no-transfer-progress", "-pl", ",".join(MODULES), f"-Dpocketclip.goldens={GOLDENS}"]
    output = ""
    # Without a network first: with one, Maven asks for updates of everything.
    for mode in (["-o"], []):
        result = subprocess.run(
            [*command, *mode, *properties, goal],
            cwd=proof,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, "MAVEN_OPTS": _MAVEN_OPTS},
        )
        output = result.stdout + result.stderr
        if not _UNFETCHED.search(output):
            break
    return output


def _copy(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path in _sources():
        target = folder / path.relative_to(SOURCES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _sources() -> list[Path]:
    return sorted(
        path
        for path in SOURCES.rglob("*")
        if path.is_file() and not {"target", "build", ".gradle"} & set(path.relative_to(SOURCES).parts)
    )
