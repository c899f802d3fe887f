"""A shipped folder on the Hugging Face hub, through its own client: the token is what that client finds."""

from __future__ import annotations

import re
from pathlib import Path

from pocketclip.benchmark.errors import HubError, OptionError
from pocketclip.models.errors import first_line

PREFIX = "hf:"
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}")


def parse_repository(text: str) -> str:
    """The repository that `hf:OWNER/REPO` names.

    Raises:
        OptionError: it has another form.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    name = text.removeprefix(PREFIX)
    fix = "write hf:OWNER/REPO, or give a folder"
    if _REPOSITORY.fullmatch(name) is None:
        raise OptionError(f"--to {text!r} is no repository on the hub", fix=fix)
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise OptionError(f"--to {text!r} is no repository on the hub: {first_line(error)}", fix=fix) from error
    return name


def upload(folder: Path, repository: str, *, private: bool, message: str) -> str:
    """Uploads a folder in one commit, into a repository that is made where there is none.

    Args:
        folder: what to upload.
        repository: `OWNER/REPO`.
        private: whether a new repository is private.
        message: of the commit.

    Returns:
        The address of the commit.

    Raises:
        HubError: the hub cannot be reached or refuses; the message says which. Nothing of it names a token.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    api = HfApi()
    where = f"{PREFIX}{repository}"
    kept = f"the folder {folder} is kept; the same command uploads it again"
    try:
        api.create_repo(repository, private=private, repo_type="model", exist_ok=True)
        done = api.upload_folder(repo_id=repository, folder_path=folder, repo_type="model", commit_message=message)
    except LocalTokenNotFoundError as error:
        raise HubError(f"{where} needs a token", fix="log in with `hf auth login`, or set HF_TOKEN") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        fix = "log in with `hf auth login`, or set HF_TOKEN to a token that may write" if status in (401, 403) else kept
        raise HubError(f"the hub refused {where} (HTTP {status})", fix=fix) from error
    except OfflineModeIsEnabled as error:
        raise HubError(f"{where} cannot be reached: HF_HUB_OFFLINE is set", fix=f"unset it; {kept}") from error
    except Exception as error:
        # The hub's transport raises its own classes, which differ between its versions.
        raise HubError(
            f"cannot upload to {where} ({type(error).__name__})", fix=f"check the network; {kept}"
        ) from error
    return str(done.commit_url)
