"""Shards from the network: fetched whole into a folder, where later runs find them."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pocketclip.models import atomic
from pocketclip.models.data.source import is_url
from pocketclip.models.errors import DatasetError
from pocketclip.models.untrusted.files import is_file
from pocketclip.models.user_cache import user_cache

_TRIES = 3
_PAUSE_S = 0.5
_TIMEOUT_S = 60.0
_BLOCK_BYTES = 1 << 20


def default_cache() -> Path:
    """The folder of fetched shards."""
    return user_cache() / "shards"


def local_shard(shard: str, cache: Path | None = None) -> Path:
    """The file of a shard, fetched first where it is a URL that is not in the cache.

    Raises:
        DatasetError: the shard does not exist or cannot be fetched whole.
        StorageError: the cache cannot be written.
    """
    if not is_url(shard):
        path = Path(shard)
        if not is_file(path):
            raise DatasetError(f"there is no file {shard}")
        return path
    path = _place(shard, cache or default_cache())
    if not is_file(path):
        _fetch(shard, path)
    return path


def _place(url: str, cache: Path) -> Path:
    name = PurePosixPath(urlsplit(url).path).name or "shard.tar"
    return cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"


def _fetch(url: str, path: Path) -> None:
    reason = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_S * 2**attempt)
        try:
            _download(url, path)
            return
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code != http.HTTPStatus.TOO_MANY_REQUESTS:
                break
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (http.client.HTTPException, OSError, ValueError) as error:
            # Of the network alone: what the disk says is a StorageError, which is none of these.
            reason = str(error) or type(error).__name__
    raise DatasetError(f"cannot fetch {url}: {reason}")


def _download(url: str, path: Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "pocketclip"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        promised = response.headers.get("Content-Length")
        with atomic.storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        # The process number keeps processes that fetch the same shard out of each other's file.
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            received = _receive(response, part)
            # http.client gives short reads without complaint where the connection is cut.
            if promised is not None and received != int(promised):
                raise ConnectionError(f"the transfer stopped after {received} of {promised} bytes")
            with atomic.storage_errors(path):
                part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _receive(response: http.client.HTTPResponse, part: Path) -> int:
    received = 0
    with atomic.written_in_parts(part, part) as stream:
        while block := response.read(_BLOCK_BYTES):
            with atomic.storage_errors(part):
                stream.write(block)
            received += len(block)
        with atomic.storage_errors(part):
            stream.flush()
            os.fsync(stream.fileno())
    return received
