"""Files to and from the addresses that a farm signs: such an address is a secret, and is in no message."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from pocketclip.benchmark.errors import FarmRefusedError, FarmResultError, FarmUnavailableError

_SECONDS = 120.0
_PIECE = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Signed addresses are those of the files themselves."""

    def redirect_request(self, *arguments: object, **options: object) -> None:
        return None


class Transfers:
    """Puts and fetches files over HTTPS."""

    def __init__(self, schemes: tuple[str, ...] = ("https",)) -> None:
        """`schemes` are those of addresses that are taken."""
        self._schemes = schemes
        self._opener = urllib.request.build_opener(_NoRedirect())

    def put(self, url: str, file: Path, what: str) -> None:
        """Sends a file; `what` names it in messages.

        Raises:
            FarmUnavailableError: the line broke off, or the server is away.
            FarmRefusedError: the server refuses it.
        """
        size = file.stat().st_size
        with file.open("rb") as stream:
            request = urllib.request.Request(self._checked(url, what), data=stream, method="PUT")
            request.add_header("Content-Length", str(size))
            request.add_header("Content-Type", "application/octet-stream")
            try:
                with self._opener.open(request, timeout=_SECONDS):
                    pass
            except urllib.error.HTTPError as error:
                raise _status_error(error.code, f"{what} was not taken") from None
            except (OSError, http.client.HTTPException) as error:
                raise FarmUnavailableError(f"{what} could not be sent: {_reason(error)}") from None

    def fetch(self, url: str, into: Path, what: str, most_bytes: int) -> None:
        """Fetches a file.

        Raises:
            FarmUnavailableError: the server is away.
            FarmResultError: it broke off before its announced length, is not there, or is larger than `most_bytes`.
        """
        try:
            with self._opener.open(self._checked(url, what), timeout=_SECONDS) as answer, into.open("wb") as stream:
                announced = answer.headers.get("Content-Length")
                size = 0
                while piece := answer.read(_PIECE):
                    size += len(piece)
                    if size > most_bytes:
                        raise FarmResultError(f"{what} has more than {most_bytes} bytes")
                    stream.write(piece)
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code == 429:
                raise _status_error(error.code, f"{what} was not given") from None
            raise FarmResultError(f"{what} was not given (status {error.code})", fix="run the same command") from None
        except http.client.IncompleteRead as error:
            raise FarmResultError(f"{what} is truncated: {len(error.partial)} bytes came last") from None
        except (OSError, http.client.HTTPException) as error:
            raise FarmUnavailableError(f"{what} could not be fetched: {_reason(error)}") from None
        if announced is not None and announced != str(size):
            raise FarmResultError(f"{what} is truncated: {announced[:20]} bytes were announced, {size} came")

    def _checked(self, url: str, what: str) -> str:
        try:
            parts = urllib.parse.urlsplit(url)
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in self._schemes or not parts.hostname:
            raise FarmRefusedError(f"the farm gives an address for {what} that is none of {', '.join(self._schemes)}")
        return url


def _status_error(status: int, words: str) -> FarmUnavailableError | FarmRefusedError:
    if status >= 500 or status == 429:
        return FarmUnavailableError(f"{words}: the server is away (status {status})")
    return FarmRefusedError(f"{words} (status {status})", fix="run it again: the address may have expired")


def _reason(error: BaseException) -> str:
    """Why, without the address."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return type(cause).__name__ if not isinstance(cause, OSError) else (cause.strerror or type(cause).__name__)
