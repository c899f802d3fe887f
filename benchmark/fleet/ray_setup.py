"""Ray itself: imported only by a fleet, without usage statistics, with its token, by default only on this computer.

Ray takes some of its settings from the environment, when it is imported and in every process that it starts.
"""

from __future__ import annotations

import atexit
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pocketclip.benchmark.errors import (
    FleetLoginError,
    FleetLostError,
    FleetUnreachableError,
    FleetVersionError,
    OptionError,
)
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.errors import MissingPackageError, PocketClipError, extra_command, first_line

NAMESPACE = "pocketclip"
DEFAULT_PORT = 6379
# How long an address may take to answer at all, and a cluster to tell its versions.
CONNECT_SECONDS, PROBE_SECONDS = 5.0, 15.0
# How long a head node may be silent; Ray itself gives up after 60.
PULSE_SECONDS = 15.0
# Of the head's notice that a host is gone: some seconds, where Ray by itself takes half a minute.
HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 5,
}
_STORE_BYTES = 256 << 20
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]")
# Ray's name for a choice that is older than its use here: with 0, all of it listens only on the loopback interface.
_OPEN = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@dataclass(frozen=True)
class Address:
    """Where a cluster's head listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@document
class ClusterVersions:
    """What a cluster was started with."""

    ray: str
    python: str


def parse_address(text: str, option: str = "ADDRESS") -> Address:
    """`ray://HOST:PORT`, `HOST:PORT` or `HOST`.

    Raises:
        OptionError: it is none of these.
    """
    host, colon, port = text.removeprefix("ray://").rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text.removeprefix("ray://"), str(DEFAULT_PORT)
    if not _HOST.fullmatch(host) or not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise OptionError(
            f"{option} {text!r} is no address of a fleet", fix="give ray://HOST:PORT as `pocketclip fleet start` says"
        )
    return Address(host, int(port))


def import_ray(*, open_to_network: bool) -> Any:
    """Ray, set up for this process and those that it starts.

    Args:
        open_to_network: whether hosts may join; else its ports are on the loopback interface.

    Raises:
        MissingPackageError: it is not installed.
    """
    os.environ.update(ray_environment(open_to_network=open_to_network))
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError(
            f"a fleet needs Ray, which is not installed ({first_line(error)})",
            fix=f"install it with: {extra_command('fleet')}",
        ) from error
    return ray


def ray_environment(*, open_to_network: bool) -> dict[str, str]:
    """What Ray reads of the environment."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_DISABLE_IMPORT_WARNING": "1",
        _OPEN: str(int(open_to_network)),
    }


@contextmanager
def local_ray() -> Iterator[Any]:
    """Ray on only this computer, with nothing to set up, gone at the end with its logs.

    Raises:
        MissingPackageError: it is not installed.
        FleetUnreachableError: it does not start.
    """
    ray = import_ray(open_to_network=False)
    make_token()
    # Names of sockets are short: not in a long path that TMPDIR may have.
    parent = "/tmp" if Path("/tmp").is_dir() else None
    with TemporaryDirectory(prefix="pc-ray-", dir=parent, ignore_cleanup_errors=True) as folder:
        _init(
            ray,
            address="local",
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            _system_config=HEALTH_CHECKS,
            _temp_dir=folder,
        )
        try:
            yield ray
        finally:
            ray.shutdown()


@dataclass
class Pulse:
    """Whether a cluster's head node answers. Ray itself waits a minute for it, and then ends the whole process.

    `address` is where it listens; `lost` is true once it was given up.
    """

    address: str
    clock: Callable[[], float] = time.monotonic
    lost: bool = False
    _heard_at: float | None = None

    def beats(self) -> bool:
        """Whether it answers now; where it does not, nothing may be asked of Ray that needs it.

        Raises:
            FleetLostError: it has not answered for a while.
        """
        host, _, port = self.address.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=2.0):
                self._heard_at = self.clock()
                return True
        except OSError as error:
            self._heard_at = self.clock() if self._heard_at is None else self._heard_at
            if self.clock() - self._heard_at < PULSE_SECONDS:
                return False
            self.lost = True
            raise FleetLostError(
                f"the fleet's first computer at {self.address} does not answer any more: {error.strerror or error}",
                fix="start the fleet there again, let hosts join, and give the same command",
            ) from error


@contextmanager
def joined_ray(address: Address) -> Iterator[Any]:
    """A cluster that this computer is a host of.

    Raises:
        MissingPackageError: Ray is not installed.
        FleetUnreachableError: nothing answers there, or this computer has not joined.
        FleetLoginError, FleetVersionError: it does not let us in.
    """
    probe(address)
    ray = import_ray(open_to_network=True)
    _init(ray, address=f"{_resolved(address)}")
    try:
        yield ray
    except FleetLostError:
        # Its farewell would wait for what is gone, until Ray ends this process without a word of ours; and without it,
        # Ray's threads crash a process that is put away in order.
        atexit.unregister(ray.shutdown)
        atexit.register(_leave)
        raise
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def _leave() -> None:
    """The end of a process whose error has been told."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(FleetLostError.exit_code)


def probe(address: Address) -> ClusterVersions:
    """What the cluster at an address was started with; within seconds, also where nobody answers.

    Raises:
        FleetUnreachableError: nothing answers there, or something else.
        FleetLoginError: it does not take our token.
        FleetVersionError: it has other versions of Ray or Python than this computer; both are named.
    """
    ray = import_ray(open_to_network=True)
    try:
        with socket.create_connection((address.host.strip("[]"), address.port), timeout=CONNECT_SECONDS):
            pass
    except OSError as error:
        raise FleetUnreachableError(
            f"nothing answers at {address}: {error.strerror or error}",
            fix="start the fleet there with `pocketclip fleet start`, and look at its address and firewall",
        ) from error
    # Its client tries for long, and writes what it meets to the terminal: a process of its own, which may be ended.
    command = [sys.executable, "-m", "pocketclip.benchmark.fleet.ray_probe", _resolved(address)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            told, said = child.communicate(timeout=PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            told, said = child.communicate()
    if "AuthToken" in said or "Unauthenticated" in said:
        raise FleetLoginError(
            f"the fleet at {address} does not take this computer's token",
            fix="copy ~/.ray/auth_token from the computer that started it, or set RAY_AUTH_TOKEN",
        )
    if child.returncode != 0:
        raise FleetUnreachableError(
            f"what answers at {address} is no fleet, or it does not tell its versions",
            fix="give the address that `pocketclip fleet start` showed",
        )
    found = documents.parse(ClusterVersions, told, source=f"what {address} tells", error=FleetUnreachableError)
    mine = ClusterVersions(ray.__version__, ".".join(map(str, sys.version_info[:3])))
    if found != mine:
        raise FleetVersionError(
            f"the fleet at {address} has Ray {found.ray} and Python {found.python}, this computer Ray {mine.ray} and "
            f"Python {mine.python}",
            fix="install the same versions on all hosts",
        )
    return found


def make_token() -> None:
    """Makes the token that hosts need to join, where this user has none; Ray keeps it in ~/.ray/auth_token.

    Whoever reads it may run programs as you on every host: Ray leaves it readable for all, this does not.
    """
    from ray import _raylet
    from ray._private.authentication.authentication_token_setup import generate_and_save_token

    # Compiled: no type of it is known.
    compiled: Any = _raylet
    loader = compiled.AuthenticationTokenLoader.instance()
    if not loader.has_token(ignore_auth_mode=True):
        generate_and_save_token()
        loader.reset_cache()
    file = Path.home() / ".ray" / "auth_token"
    if file.is_file():
        with suppress(OSError):
            file.chmod(0o600)


def _init(ray: Any, **options: Any) -> None:
    # Ray takes the signal over, and prints its own stack where a program is only asked to end.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(namespace=NAMESPACE, log_to_driver=False, configure_logging=False, logging_level="ERROR", **options)
    except PocketClipError:
        raise
    except Exception as error:
        # Ray's own errors have no root in common.
        where = options.get("address")
        what = "Ray does not start on this computer" if where == "local" else f"this computer is no host of {where}"
        fix = "look whether /tmp has space" if where == "local" else f"run `pocketclip fleet join {where}` here first"
        raise FleetUnreachableError(f"{what}: {first_line(error)}", fix=fix) from error
    finally:
        # Only the main thread may, and only it has had it taken over.
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL if handler is None else handler)


def listening(address: Address) -> Address:
    """An address to listen on, as a number.

    Raises:
        OptionError: other computers cannot reach it.
        FleetUnreachableError: there is no such host.
    """
    host, _, _ = _resolved(address).rpartition(":")
    if ipaddress.ip_address(host.strip("[]")).is_loopback:
        raise OptionError(
            f"--listen {address}: no other computer reaches {host}",
            fix="give this computer's address in your network; for its own devices, `bench --fleet` needs no start",
        )
    return Address(host, address.port)


def _resolved(address: Address) -> str:
    """Ray compares addresses as texts: a name would be another cluster."""
    try:
        number = socket.getaddrinfo(address.host.strip("[]"), address.port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise FleetUnreachableError(f"there is no host {address.host}: {error.strerror or error}") from error
    return f"[{number}]:{address.port}" if ":" in str(number) else f"{number}:{address.port}"
