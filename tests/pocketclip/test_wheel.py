"""The wheel holds all that its users need: built, installed beside nothing of ours, and run from another folder."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Importing it here fails where a test has imported distutils.
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("building a wheel offline needs setuptools here")
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs the repository's list of files")
    source = folder / "source"
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        if path.exists() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                (source / name).symlink_to(path.readlink())
            else:
                (source / name).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pocketclip` of an environment that has the wheel, and our dependencies from here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # A folder in a .pth file is searched, its own .pth files (our editable install) are not.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps", wheel],
        check=True,
    )
    return folder / "bin" / "pocketclip"


def test_contents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pocketclip"}
    for needed in (
        "pocketclip/py.typed",
        "pocketclip/models/configs/pocketclip_nano.json",
        "pocketclip/models/weights/pocketclip_nano.safetensors",
        "pocketclip/models/weights/pocketclip_nano_tuned.safetensors",
        "pocketclip/benchmark/devices.toml",
        "pocketclip/benchmark/report/report.html.j2",
        "pocketclip/benchmark/store/migrations/versions/r0001_records.py",
        "pocketclip/export/schemas/bundle-v1.schema.json",
        "pocketclip/android_app/settings.gradle.kts",
        "pocketclip/ios_app/Package.swift",
    ):
        assert needed in names, needed


def test_main_commands_from_another_folder(program: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [program, *arguments],
            cwd=tmp_path,
            env={**environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return ended.stdout

    where = subprocess.run(
        [program.with_name("python"), "-c", "import pocketclip.benchmark as b; print(b.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(program.parents[1]) in where.stdout
    assert "pocketclip_nano" in run("models", "pocketclip_nano")
    run("export", "--target", "onnx", "--quantize", "fp32")
    run("bench", "--artifact", "artifacts", "--launches", "1", "--iterations", "5")
    run("report")
    assert (tmp_path / "report.html").is_file()
    run("devices", "list")
