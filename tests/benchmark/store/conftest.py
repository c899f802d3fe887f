"""A store on SQLite and one on a private PostgreSQL server, and the store that the first version left behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

DATA = Path(__file__).parents[2] / "data" / "stores"
DEBIAN = Path("/usr/lib/postgresql")
STARTUP_SECONDS = 60


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them out of PATH."""
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name.split(".")[0]), reverse=True)
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).resolve().parent)
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


def server_account() -> str | None:
    """The account that the server must run as where this is root, as which it refuses to run."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Server:
    """A PostgreSQL server on a Unix socket in a folder of its own. Skips where there is no PostgreSQL."""

    def __init__(self) -> None:
        programs, account = postgres_programs(), server_account()
        if programs is None:
            pytest.skip("PostgreSQL is not installed")
        if account is not None and not shutil.which("setpriv"):
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as another")
        self._programs = programs
        self._prefix = [] if account is None else _as_account(account)
        # A socket's path has at most 107 characters, and pytest's folders are only root's.
        self.folder = Path(tempfile.mkdtemp(prefix="pocketclip-pg-", dir="/tmp"))
        if account is not None:
            shutil.chown(self.folder, account)
        initdb = [programs / "initdb", "--pgdata", self.folder / "data", "--auth=trust", "--username=tests"]
        initdb += ["--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*self._prefix, *map(str, initdb)], check=True, capture_output=True, cwd=self.folder)
        self.url = sa.URL.create(
            "postgresql+psycopg", username="tests", database="postgres", query={"host": str(self.folder)}
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        command = [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *map(str, command), "-c", "listen_addresses="], stdout=log, stderr=log, cwd=self.folder
            )
        _wait(self.url, self._process, self.folder / "log")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT ends its connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STARTUP_SECONDS)

    def remove(self) -> None:
        """Ends it and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """A server, gone at the end; skips where there is no PostgreSQL."""
    server = Server()
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


def _as_account(name: str) -> list[str]:
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups"]


def _wait(url: sa.URL, server: subprocess.Popen[bytes], log: Path) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            with engine.connect():
                return
        except sa.exc.OperationalError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@pytest.fixture
def postgres(postgres_server: sa.URL) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database."""
    name = f"store_{uuid.uuid4().hex}"
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres_server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made: a file that is not there yet, and an empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "s.sqlite")
    return request.getfixturevalue("postgres")


@pytest.fixture
def execute(location: str) -> Callable[..., list[tuple[object, ...]]]:
    """Runs a statement on the store's database behind its back; rows are what it gives."""
    url = location if "://" in location else f"sqlite:///{location}"

    def run(statement: str, **values: object) -> list[tuple[object, ...]]:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            found = connection.execute(sa.text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    return run


@pytest.fixture
def first_version(location: str, execute: Callable[..., list[tuple[object, ...]]]) -> str:
    """A store as the first version wrote it: a benchmark, an accuracy, a failed benchmark, PyTorch's accuracy.

    The dump is of its SQLite file; PostgreSQL gets the table that the same code made there.
    """
    return restored("first-version", location, execute)


@pytest.fixture
def second_version(location: str, execute: Callable[..., list[tuple[object, ...]]]) -> str:
    """A store of revision 0002: a phone's benchmark, one that may not be ranked, a failed one, a retrieval."""
    return restored("second-version", location, execute)


def restored(name: str, location: str, execute: Callable[..., list[tuple[object, ...]]]) -> str:
    """Makes the store of a dump."""
    dump = (DATA / f"{name}.sql").read_text()
    if "://" not in location:
        with sqlite3.connect(location) as database:
            database.executescript(dump)
        return location
    with sqlite3.connect(":memory:") as database:
        database.executescript(dump)
        cursor = database.execute("SELECT * FROM records ORDER BY sequence")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    for statement in (DATA / f"{name}.postgresql.sql").read_text().split(";\n"):
        if statement.strip():
            execute(statement)
    for row in rows:
        values = dict(zip(names, row, strict=True))
        del values["sequence"]
        if values.get("valid") is not None:
            values["valid"] = bool(values["valid"])
        execute(
            f"INSERT INTO records ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", **values
        )
    return location
