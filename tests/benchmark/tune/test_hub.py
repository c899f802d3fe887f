"""Uploads through Hugging Face's client to a hub on this computer; refusals in words, without a token in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pocketclip.benchmark.errors import OptionError
from pocketclip.benchmark.tune.hub import parse_repository
from tests.benchmark.tune.hub_stand_in import TOKEN, Hub, hub_stand_in

CODE = """
import sys
from pathlib import Path
from pocketclip.benchmark.tune.hub import upload
from pocketclip.models.errors import PocketClipError
try:
    print(upload(Path(sys.argv[1]), "me/tuned", private=True, message="trial 3"))
except PocketClipError as error:
    sys.exit(f"{error.code}: {error}")
"""


def upload(hub: Hub, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # The client reads its settings when it is imported. Its other transport speaks to servers that no test can be.
    own = {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder.parent)}
    return subprocess.run(
        [sys.executable, "-c", CODE, str(folder)],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shipped" / "evidence").mkdir(parents=True)
    (tmp_path / "shipped" / "README.md").write_text('---\ntags: ["clip"]\n---\n# A card: é', encoding="utf-8")
    (tmp_path / "shipped" / "model.safetensors").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "shipped" / "evidence" / "study.json").write_text("{}")
    return tmp_path / "shipped"


def test_a_folder_arrives_whole_in_one_commit_and_again(folder: Path) -> None:
    with hub_stand_in() as hub:
        first = upload(hub, folder)
        assert first.returncode == 0, first.stderr
        assert first.stdout.strip().startswith(f"{hub.address}/me/tuned/commit/")
        expected = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert hub.files["me/tuned"] == expected
        assert hub.private["me/tuned"] and hub.messages == ["trial 3"]
        (folder / "README.md").write_text("# Another card")
        assert upload(hub, folder).returncode == 0
        assert hub.files["me/tuned"]["README.md"] == b"# Another card" and len(hub.messages) == 2


def test_refusals_are_words(folder: Path) -> None:
    with hub_stand_in() as hub:
        wrong = upload(hub, folder, HF_TOKEN="hf_wrong")
        assert wrong.returncode == 1 and "hub: the hub refused hf:me/tuned (HTTP 401)" in wrong.stderr
        assert "HF_TOKEN" in wrong.stderr and "hf_wrong" not in wrong.stderr
        hub.refusal = 403
        refused = upload(hub, folder)
        assert "(HTTP 403)" in refused.stderr and "Traceback" not in refused.stderr
        offline = upload(hub, folder, HF_HUB_OFFLINE="1")
        assert "HF_HUB_OFFLINE is set" in offline.stderr
    gone = upload(hub, folder)
    assert "cannot upload to hf:me/tuned" in gone.stderr and "is kept" in gone.stderr
    for each in (wrong, refused, offline, gone):
        assert "Traceback" not in each.stderr and TOKEN not in each.stderr


@pytest.mark.parametrize("text", ["me", "me/a/b", "../x", "me/x y", "me/-x", "me/x..y", "me/x.git"])
def test_what_is_no_repository_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="is no repository on the hub"):
        parse_repository(f"hf:{text}")
    assert parse_repository("hf:me/pocketclip_nano-tuned") == "me/pocketclip_nano-tuned"
