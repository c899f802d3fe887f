"""What the measuring app carries out by itself where a farm only starts it: an order beside the package's files."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from annotated_types import Ge, Le

from pocketclip.benchmark.farms.phone_package import PhonePackage
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.models import documents
from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import PlainName, Sha256

# The same as in `android_app`: core/records/LoopProtocol.kt and core/bench/FarmLoop.kt.
LOOP_VERSION = 1
PACKAGE_NAME = "pocketclip-loop.zip"
_ORDER_NAME = "loop.json"
_Seconds = Annotated[int, Ge(0), Le(86_400)]


@document
class LoopLaunch:
    """One start of the app: an action whose request lies in `<token>/requests/<folder>.json`."""

    folder: PlainName
    action: Literal["stage", "measure"]
    request_sha256: Sha256


@document
class LoopOrder:
    """What the app starts, in order: what a launch may take, and how long it rests before each."""

    loop_version: int
    token: PlainName
    limit_seconds: _Seconds
    rest_seconds: _Seconds
    launches: tuple[LoopLaunch, ...]


def loop_files(package: PhonePackage, *, limit_seconds: int, rest_seconds: int) -> dict[str, bytes]:
    """The order, as a package takes it along."""
    launches = tuple(LoopLaunch(each.folder, each.action, digest(each.request)) for each in package.starts)
    order = LoopOrder(LOOP_VERSION, package.token, limit_seconds, rest_seconds, launches)
    return {_ORDER_NAME: json.dumps(documents.to_builtin(order)).encode()}
