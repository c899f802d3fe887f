"""Puts the app on an iPhone, where another build or none is there.

iOS tells no hash of an app that is installed, but its folder, another one after every installation. So what was
installed, and into which folder, is noted in the user's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pocketclip.benchmark.errors import AppInstallError, BenchmarkError
from pocketclip.benchmark.phone_app.iphone_package import IPhonePackage
from pocketclip.benchmark.platforms.apple.phone import ApplePhone, InstalledApp
from pocketclip.benchmark.platforms.host import instance_id
from pocketclip.models import documents
from pocketclip.models.atomic import storage_errors
from pocketclip.models.documents import document
from pocketclip.models.user_cache import user_cache

Say = Callable[[str], object]


@document
class InstallNote:
    """What we installed last on a phone: the package's hash, and the folder where the phone put it."""

    bundle: str
    sha256: str
    place: str


def note_file(udid: str) -> Path:
    """Where the note of a phone is; its name does not give the phone away."""
    return user_cache() / "phones" / f"{instance_id(udid)}-app.json"


def is_installed(found: InstalledApp | None, package: IPhonePackage, udid: str) -> bool:
    """Whether the app that a phone has is the package: we installed it, and nobody installed another one since."""
    file = note_file(udid)
    if found is None or not file.is_file():
        return False
    try:
        note = documents.read(InstallNote, file, error=BenchmarkError)
    except BenchmarkError:
        return False
    return note == InstallNote(package.bundle, package.sha256, found.place)


def ensure_installed(phone: ApplePhone, package: IPhonePackage, *, say: Say) -> bool:
    """Installs the app, or puts it in the place of another build; False where it is there already.

    Raises:
        AppSigningError, AppInstallError: the phone refuses it.
        DeviceFullError: there is no room for it.
        TransportError: the phone went away.
    """
    found = phone.installed(package.bundle)
    if is_installed(found, package, phone.udid):
        return False
    say(f"{'installing' if found is None else 'updating'} the measuring app on {phone.label}")
    phone.install(package.path)
    found = phone.installed(package.bundle)
    if found is None:
        raise AppInstallError(
            f"{phone.label} accepted the app but does not have it", fix="check the phone's screen, and run it again"
        )
    file = note_file(phone.udid)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    documents.write(InstallNote(package.bundle, package.sha256, found.place), file)
    return True
