"""Where a checkpoint comes from: a path, or a file on the Hugging Face hub, with an optional hash.

Forms: `PATH`, `hf:OWNER/REPO`, `hf:OWNER/REPO/FILE`, each with `@REVISION` (hub) and `#sha256=HEX` where wanted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pocketclip.models.checkpoints.checkpoint_file import INDEX_SUFFIX, shard_names
from pocketclip.models.errors import CheckpointError, choices
from pocketclip.models.run_folder import WEIGHTS_FILE, is_run_folder
from pocketclip.models.untrusted.files import is_file, is_folder

HUB_PREFIX = "hf:"
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
# Of a checkpoint in several files, whose index names them.
_PART = re.compile(r"-\d{5}-of-\d{5}\.")
_HUB = re.compile(r"(?P<repository>[^/@]+/[^/@]+)(?:/(?P<file>[^@]+))?(?:@(?P<revision>.+))?")


@dataclass(frozen=True)
class HubFile:
    """A file on the hub; `file` None means the repository's only checkpoint, `revision` None its main branch."""

    repository: str
    file: str | None
    revision: str | None


def fetch_weights(source: str) -> Path:
    """The local path of a checkpoint, downloaded into the hub's cache where it comes from there.

    Raises:
        CheckpointError: it does not exist, cannot be fetched, or does not have the hash asked for.
    """
    place, _, fragment = source.partition("#")
    wanted = _wanted_hash(source, fragment) if fragment else None
    path = _download(parse_hub_file(place)) if place.startswith(HUB_PREFIX) else Path(place)
    if is_folder(path):
        path = _in_folder(path)
    if wanted is not None and path.name.endswith(INDEX_SUFFIX):
        raise CheckpointError(
            f"{place}: a hash of an index does not cover the files that the index names", fix="leave #sha256 out"
        )
    if not is_file(path):
        raise CheckpointError(f"there is no checkpoint at {path}")
    if wanted is not None:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != wanted:
            raise CheckpointError(
                f"{place} has the sha256 {found}, not {wanted}: it is a different or incomplete file",
                fix="download it again or correct the hash",
            )
    return path


def _in_folder(folder: Path) -> Path:
    """The checkpoint of a folder: a run's weights, an index, or the only file.

    Raises:
        CheckpointError: there is none, or several.
    """
    if is_run_folder(folder):
        return folder / WEIGHTS_FILE
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError as error:
        raise CheckpointError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    return folder / _only_checkpoint(str(folder), names)


def parse_hub_file(text: str) -> HubFile:
    """Reads `hf:OWNER/REPO[/FILE][@REVISION]`.

    Raises:
        CheckpointError: the text has another form.
    """
    matched = _HUB.fullmatch(text.removeprefix(HUB_PREFIX))
    if matched is None:
        raise CheckpointError(
            f"{text!r} is not a file on the hub", fix="write hf:OWNER/REPO or hf:OWNER/REPO/FILE@REVISION"
        )
    return HubFile(matched["repository"], matched["file"], matched["revision"])


def _wanted_hash(source: str, fragment: str) -> str:
    matched = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if matched is None:
        raise CheckpointError(f"{source!r}: write sha256= and 64 hexadecimal digits after #")
    return matched[1].lower()


def _download(wanted: HubFile) -> Path:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    name = f"{HUB_PREFIX}{wanted.repository}"
    try:
        file = wanted.file or _only_checkpoint(
            name, HfApi().list_repo_files(wanted.repository, revision=wanted.revision)
        )
        path = Path(hf_hub_download(wanted.repository, file, revision=wanted.revision))
        if path.name.endswith(INDEX_SUFFIX):
            for part in shard_names(path)[1]:
                beside = str(PurePosixPath(file).parent / part)
                hf_hub_download(wanted.repository, beside, revision=wanted.revision)
        return path
    except CheckpointError:
        raise
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError, TimeoutError) as error:
        raise CheckpointError(
            f"cannot reach the hub for {name}", fix="connect to the network, or download the file and give its path"
        ) from error
    except EntryNotFoundError as error:
        raise CheckpointError(f"{name} has no file {wanted.file!r}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise CheckpointError(
            f"the hub refused {name} (HTTP {status})",
            fix="check the name and the revision, and log in for gated models",
        ) from error
    except Exception as error:
        # The hub's transport raises its own classes, which differ between its versions.
        raise CheckpointError(
            f"cannot fetch {name} ({type(error).__name__})",
            fix="connect to the network, or download the file and give its path",
        ) from error


def _only_checkpoint(name: str, files: list[str]) -> str:
    """The only checkpoint among files; parts stand behind their index."""
    found = [file for file in files if file.endswith((INDEX_SUFFIX, *CHECKPOINT_SUFFIXES)) and not _PART.search(file)]
    if not found:
        raise CheckpointError(
            f"{name} holds no checkpoint; its name would end with {choices((*CHECKPOINT_SUFFIXES, INDEX_SUFFIX))}",
            fix="name a file or folder that holds one",
        )
    if len(found) != 1:
        raise CheckpointError(f"{name} holds {len(found)} checkpoints ({choices(found)})", fix=f"name one: {name}/FILE")
    return found[0]
