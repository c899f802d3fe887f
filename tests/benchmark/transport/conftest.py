"""A real sshd on this machine, and stand-ins for adb."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SFTP_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Server:
    """An sshd that takes one key, and the options by which `ssh` meets it."""

    port: int
    options: tuple[str, ...]
    user: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts an sshd on a port of loopback with keys of its own; `environment` is what its sessions get besides."""
    search = os.pathsep.join((os.environ.get("PATH", ""), *SFTP_FOLDERS))
    program, keygen = shutil.which("sshd", path=search), shutil.which("ssh-keygen", path=search)
    if program is None or keygen is None or shutil.which("ssh") is None:
        pytest.skip("needs sshd, ssh and ssh-keygen: apt-get install openssh-server openssh-client")
    if os.geteuid() == 0:
        # Where privileges are separated, sshd wants this empty folder; its package's service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    started: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> Server:
        folder = tmp_path_factory.mktemp("sshd")
        for name in ("host", "user"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        port = _free_port()
        lines = [
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder / 'host'}",
            f"AuthorizedKeysFile {folder / 'user.pub'}",
            f"PidFile {folder / 'pid'}",
            "StrictModes no",
            "PasswordAuthentication no",
            "UsePAM no",
            *([f"SetEnv {' '.join(f'{name}={value}' for name, value in environment.items())}"] if environment else []),
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        log = folder / "log"
        started.append(subprocess.Popen([program, "-D", "-f", folder / "config", "-E", log]))
        public = (folder / "host.pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert started[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        options = ("-F", "none", "-p", str(port), "-i", str(folder / "user"), "-o", "IdentitiesOnly=yes")
        options += ("-o", f"UserKnownHostsFile={folder / 'known_hosts'}")
        return Server(port, options, getpass.getuser())

    yield start
    for process in started:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def server(sshd: Callable[..., Server]) -> Server:
    """One sshd for all."""
    return sshd()


@pytest.fixture
def fake_adb(tmp_path: Path) -> Callable[[str], str]:
    """A program that answers as adb would: the path of a shell script."""

    def make(script: str) -> str:
        path = tmp_path / "adb"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make
