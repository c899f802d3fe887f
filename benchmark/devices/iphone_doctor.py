"""The preconditions of an iPhone, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pocketclip.benchmark.devices.attached_iphones import find_phone
from pocketclip.benchmark.devices.finding import LEAST_FREE_BYTES, Finding, attempt
from pocketclip.benchmark.devices.iphone_device import IPhoneDevice, problems
from pocketclip.benchmark.devices.table import DeviceEntry
from pocketclip.benchmark.errors import (
    BenchmarkError,
    DeveloperImageError,
    DeveloperModeError,
    DeviceUnauthorizedError,
    ScreenLockedError,
)
from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.phone_app.iphone_app import IPhoneApp
from pocketclip.benchmark.phone_app.iphone_installing import is_installed
from pocketclip.benchmark.phone_app.iphone_package import IPhonePackage, find_package
from pocketclip.benchmark.platforms.apple.phone import ApplePhone, PhoneState
from pocketclip.benchmark.platforms.apple.ways import choose_way
from pocketclip.benchmark.runners.scratch import scratch_folder

# The precondition, the error where it is not met, and what is said where it is.
_STATES: tuple[tuple[str, type[BenchmarkError], str, str], ...] = (
    ("trusts this computer", DeviceUnauthorizedError, "paired", "paired"),
    ("unlocked", ScreenLockedError, "locked", "unlocked"),
    ("developer mode", DeveloperModeError, "developer_mode", "on"),
    ("developer disk image", DeveloperImageError, "image_mounted", "mounted"),
)


def examine_iphone(entry: DeviceEntry, app: Path | None = None) -> Iterator[Finding]:
    """Checks an iPhone; what cannot be checked for an earlier failure is left out. Nothing there is changed.

    The app on this computer is looked at in any case, so that one visit mends both.
    """
    finding, way = attempt("a program that reaches iPhones", lambda: choose_way(entry.way), lambda each: each.name)
    yield finding
    if way is None:
        yield _app_here(app)
        return
    finding, found = attempt(
        "attached",
        lambda: find_phone(entry, way.list_phones(), way.name),
        lambda each: ", ".join(filter(None, (each.name, each.product, each.os))),
    )
    yield finding
    if found is None:
        yield _app_here(app)
        return
    device = IPhoneDevice(entry, found, way, say=lambda _: None, app=app)
    finding, state = attempt("state", device.phone.state, lambda _: "told")
    if state is None:
        yield finding
        yield _app_here(app)
        return
    yield from _states(state, entry.name)
    finding, package = attempt("the app on this computer", lambda: device.package, lambda each: each.path.name)
    yield finding
    if package is None or next(iter(problems(state, entry.name)), None) is not None:
        return
    yield from _app(device.phone, package)


def _app_here(app: Path | None) -> Finding:
    finding, _ = attempt("the app on this computer", lambda: find_package(app), lambda each: each.path.name)
    return finding


def _states(state: PhoneState, label: str) -> Iterator[Finding]:
    found = list(problems(state, label))
    for precondition, kind, field, words in _STATES:
        error = next((each for each in found if isinstance(each, kind)), None)
        if error is None:
            yield Finding(precondition, words if getattr(state, field) is not None else "not told")
            continue
        yield Finding(precondition, error.what, error.fix)


def _app(phone: ApplePhone, package: IPhonePackage) -> Iterator[Finding]:
    finding, installed = attempt(
        "the app on the phone",
        lambda: (phone.installed(package.bundle),),
        lambda found: _installed_words(is_installed(found[0], package, phone.udid), found[0] is not None),
    )
    yield finding
    if installed is None or installed[0] is None:
        return
    with scratch_folder("pocketclip-doctor-") as name:
        app = IPhoneApp(phone, package, Path(name))
        finding, facts = attempt("the app answers", app.facts, lambda each: f"version {each.app_version}")
        yield finding
        if facts is not None:
            yield _space(facts)
        attempt("clean", app.clean, lambda _: "")


def _installed_words(wanted: bool, there: bool) -> str:
    if wanted:
        return "this build"
    return "another build; `bench` puts this one in its place" if there else "none; `bench` installs it"


def _space(facts: AppFacts) -> Finding:
    if facts.free_bytes is None:
        return Finding("space", "not told")
    words = f"{facts.free_bytes / 1e9:.1f} GB free"
    return Finding("space", words, None if facts.free_bytes >= LEAST_FREE_BYTES else "free 0.5 GB on the phone")
