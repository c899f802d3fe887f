"""What needs cores, not a device, on the nodes of a fleet: exports, trials of `tune`, runs of studies, any command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError

if TYPE_CHECKING:
    from pocketclip.benchmark.fleet.exports import Outcome
    from pocketclip.benchmark.fleet.nodes import Nodes
    from pocketclip.export.job import ExportJob

_MOST_OUTPUT = 200_000


@dataclass(frozen=True)
class CommandOutcome:
    """A command that ended on a node: its exit code, and the end of what it printed."""

    command: str
    exit_code: int
    output: str
    node: str


@contextmanager
def joined_nodes(address: str) -> Iterator[Nodes]:
    """The nodes of the fleet that this computer has joined.

    Raises:
        MissingPackageError: Ray is not installed.
        FleetUnreachableError, FleetLoginError, FleetVersionError: the fleet cannot be reached.
    """
    from pocketclip.benchmark.fleet.ray_nodes import RayNodes
    from pocketclip.benchmark.fleet.ray_setup import joined_ray, parse_address

    with joined_ray(parse_address(address, "--cluster")) as ray:
        yield RayNodes(ray)


def export_jobs(address: str, jobs: Sequence[ExportJob], cores: int) -> Iterator[Outcome]:
    """Export jobs on a fleet's nodes: each with its result or error as it ends. Raises as `joined_nodes`."""
    from pocketclip.benchmark.fleet.exports import exports_on_nodes

    if jobs:
        with joined_nodes(address) as nodes:
            yield from exports_on_nodes(nodes, jobs, cores=cores)


def run_commands(nodes: Nodes, lines: Sequence[str], *, cores: int, folder: Path) -> Iterator[CommandOutcome]:
    """Runs commands of PocketCLIP on nodes; yields each as it ends.

    Args:
        nodes: the fleet's.
        lines: commands without `pocketclip`, e.g. `eval --artifact artifacts/mine`.
        cores: of a node, for each.
        folder: where they run, on every node: what they read and write is below it, or has the same path everywhere.

    Raises:
        OptionError: a line is no command of PocketCLIP.
        FleetError: no node has so many cores, or the fleet is gone.
    """
    from pocketclip.benchmark.fleet.nodes import Call

    calls = [Call(line, run_command, (_words(line), str(folder), cores)) for line in lines]
    for line, found in nodes.run(calls, cores=cores):
        if isinstance(found, CommandOutcome):
            yield found
        else:
            yield CommandOutcome(line, 1, f"error: {found}", "")


def run_command(words: Sequence[str], folder: str, cores: int) -> CommandOutcome:
    """Runs one command on this node."""
    import os
    import socket

    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(max(1, cores)))
    line, where = shlex.join(words), socket.gethostname()
    if not Path(folder).is_dir():
        return CommandOutcome(line, 2, f"error: {where} has no folder {folder}; share it with all hosts", where)
    ended = subprocess.run(
        [sys.executable, "-m", "pocketclip", *words],
        cwd=folder,
        env=os.environ | threads,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return CommandOutcome(line, ended.returncode, ended.stdout[-_MOST_OUTPUT:], where)


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise OptionError(f"{line!r} is no command: {error}") from error
    words = words[1:] if words[:1] == ["pocketclip"] else words
    if not words or not words[0].isalpha() or words[0] == "fleet":
        raise OptionError(f"{line!r} is no command that a node may run", fix="write it as `eval --artifact FOLDER`")
    return words
