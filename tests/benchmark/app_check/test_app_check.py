"""Each rule finds its fault and nothing else; files that lie are named."""

from __future__ import annotations

import contextlib
import json
import random
import struct
import subprocess
import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pocketclip.benchmark.api import check_app
from pocketclip.benchmark.app_check.app_rules import APP_RULES, markdown_table
from pocketclip.benchmark.app_check.native_library import Abi, read_library
from pocketclip.benchmark.app_check.package_file import read_package
from pocketclip.benchmark.app_check.runtime_sizes import OTHERS, runtime_of
from pocketclip.benchmark.errors import AppFileError
from tests.benchmark.app_check import packages
from tests.benchmark.app_check.packages import ARM32, GOOD, OLD, PAGE, X86_64, elf, package

REPOSITORY = Path(__file__).parents[3]
Libraries = dict[str, bytes]
SOUND: Libraries = {"lib/arm64-v8a/libonnxruntime.so": elf()}
MOVED = ((0, 0, 0x1000, PAGE, 5), (0x1000, 0x2000, 0x800, PAGE, 6))
OFF_PAGE = ((0, 0, 0x1000, PAGE, 5), (0x1000, 0x4800, 0x800, PAGE, 6))


def codes(path: Path) -> list[str]:
    return [finding.code for finding in check_app(path).findings]


def test_nothing_is_found_in_a_sound_package(tmp_path: Path) -> None:
    checked = check_app(package(tmp_path / "a.apk", SOUND))
    assert checked.findings == () and not checked.refused
    (size,) = checked.sizes
    assert (size.runtime, size.abi) == ("ONNX Runtime", "arm64-v8a")
    assert size.size_bytes == size.packed_bytes == len(elf())


@pytest.mark.parametrize(
    ("libraries", "options", "expected"),
    [
        ({"lib/arm64-v8a/a.so": elf(segments=OLD)}, {}, ["PA001"]),
        ({"lib/arm64-v8a/a.so": elf(segments=MOVED)}, {}, ["PA002"]),
        ({"lib/arm64-v8a/a.so": elf(segments=OFF_PAGE)}, {}, ["PA002"]),
        (SOUND, {"aligned": False}, ["PA003"]),
        (SOUND, {"compressed": True}, ["PA004"]),
        # Extracted libraries may lie anywhere; that they are there twice is said, with what else is old.
        (SOUND, {"aligned": False, "manifest": "old"}, ["PA005", "PA011", "PA012"]),
        ({}, {"manifest": "old"}, ["PA011", "PA012"]),
        ({"lib/x86_64/a.so": elf(X86_64)}, {}, ["PA006"]),
        ({"lib/arm64-v8a/a.so": elf(), "lib/x86_64/b.so": elf(X86_64)}, {}, ["PA007", "PA007"]),
        ({"lib/arm64-v8a/a.so": elf(), "lib/mips/a.so": elf()}, {}, ["PA008", "PA009"]),
        ({"lib/arm64-v8a/a.so": elf(symbols=4800)}, {}, ["PA010"]),
        (SOUND, {"manifest": "silent"}, ["PA011"]),
        ({"lib/arm64-v8a/a.so": b"not a library"}, {}, ["PA013"]),
        ({"lib/arm64-v8a/a.so": elf(8)}, {}, ["PA013"]),
        ({}, {}, []),
    ],
)
def test_each_rule_finds_its_fault(
    libraries: Libraries, options: dict[str, object], expected: Sequence[str], tmp_path: Path
) -> None:
    assert codes(package(tmp_path / "a.apk", libraries, **options)) == expected  # pyright: ignore[reportArgumentType]


def destroy(path: Path, name: str) -> None:
    """Overwrites the packed bytes of an entry, and nothing else of the archive."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
    content = bytearray(path.read_bytes())
    names, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
    start = entry.header_offset + 30 + names + extra
    content[start : start + entry.compress_size] = b"\xff" * entry.compress_size
    path.write_bytes(content)


def test_extracted_libraries_count_whether_compressed_or_not(tmp_path: Path) -> None:
    libraries = {"lib/arm64-v8a/a.so": elf() + bytes(2_000_000)}
    for compressed in (False, True):
        found = check_app(package(tmp_path / "a.apk", libraries, "old", compressed=compressed)).findings
        assert found[0].code == "PA005" and "2.0 MB of libraries are on the phone twice" in found[0].message


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_library_is_a_finding_and_the_others_are_checked(tmp_path: Path, method: int) -> None:
    path, content = tmp_path / "a.apk", elf() + bytes(range(256)) * 8
    with zipfile.ZipFile(package(path, {"lib/arm64-v8a/b.so": elf(segments=OLD)}), "a") as archive:
        archive.writestr("lib/arm64-v8a/a.so", content, method)
    destroy(path, "lib/arm64-v8a/a.so")
    assert [(each.code, each.where) for each in check_app(path).findings if each.code in ("PA001", "PA013")] == [
        ("PA001", "lib/arm64-v8a/b.so"),
        ("PA013", "lib/arm64-v8a/a.so"),
    ]


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    path = package(tmp_path / "a.apk", SOUND)
    destroy(path, "AndroidManifest.xml")
    with pytest.raises(AppFileError, match="is no intact ZIP archive"):
        check_app(path)


def test_every_rule_is_tested() -> None:
    marks = test_each_rule_finds_its_fault.pytestmark  # pyright: ignore[reportFunctionMemberAccess]
    tested = {code for case in marks[0].args[1] for code in case[2]}
    assert tested == {rule.code for rule in APP_RULES}


def test_documentation_has_the_rules() -> None:
    assert markdown_table() in (REPOSITORY / "docs" / "lint.md").read_text()
    found = [rule.code for rule in APP_RULES]
    assert found == sorted(set(found))
    assert all(rule.title and rule.reason and rule.fix and rule.source for rule in APP_RULES)


def test_processors_of_32_bits_have_no_large_pages(tmp_path: Path) -> None:
    libraries = {"lib/arm64-v8a/a.so": elf(), "lib/armeabi-v7a/a.so": elf(ARM32, OLD)}
    assert codes(package(tmp_path / "a.apk", libraries)) == []


def test_archives_and_bundles_keep_libraries_elsewhere(tmp_path: Path) -> None:
    aar = package(tmp_path / "a.aar", {"jni/arm64-v8a/libtensorflowlite_jni.so": elf(segments=OLD)}, None)
    assert codes(aar) == ["PA001"]
    bundle = check_app(package(tmp_path / "a.aab", {"base/lib/arm64-v8a/libexecutorch.so": elf(segments=OLD)}, None))
    assert [finding.code for finding in bundle.findings] == ["PA001"]
    assert "bundletool" in bundle.unread[0]


def test_strays_are_counted(tmp_path: Path) -> None:
    checked = check_app(package(tmp_path / "a.apk", {**SOUND, "assets/extra\x1b[31m.so": elf()}))
    (words,) = checked.unread
    assert "1 libraries outside" in words and "\x1b" not in words


def test_a_single_library_of_this_computer_is_read() -> None:
    """A real linker's work: numpy's, which is no phone's and has symbols or not as its maker liked."""
    found = sorted(Path(sysconfig.get_path("platlib")).glob("numpy/_core/_multiarray_umath*.so"))
    with found[0].open("rb") as stream:
        library = read_library(stream, found[0].name)
    assert library.abi in (Abi.X86_64, Abi.ARM64)
    assert library.alignment >= 4096 and len(library.segments) >= 2


def test_runtimes_are_told_by_name() -> None:
    assert runtime_of("libonnxruntime4j_jni.so") == "ONNX Runtime"
    assert runtime_of("libexecutorch_jni.so") == "ExecuTorch"
    assert runtime_of("libLiteRt.so") == "LiteRT"
    assert runtime_of("libQnnHtpV75Skel.so") == "Qualcomm QNN"
    assert runtime_of("libmine.so") == OTHERS


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.zip", b"", "no Android package"),
        ("a.apk", b"", "no intact ZIP archive"),
        ("a.apk", b"<html>", "no intact ZIP archive"),
        ("a.so", b"MZ", "no native library"),
        ("a.so", elf()[:70], "no native library"),
        ("a.so", elf(8), "no Android device has"),
    ],
)
def test_other_files_are_refused(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AppFileError, match=words):
        check_app(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppFileError, match="there is no file"):
        check_app(tmp_path / "none.apk")
    with pytest.raises(AppFileError, match=r"no AndroidManifest\.xml"):
        check_app(package(tmp_path / "a.apk", SOUND, None))


def test_a_file_that_grows_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pocketclip.benchmark.app_check import package_file

    monkeypatch.setattr(package_file, "_MOST_LIBRARY_BYTES", 1 << 20)
    path = package(tmp_path / "a.apk", {"lib/arm64-v8a/a.so": bytes(8 << 20)}, compressed=True)
    (library,) = read_package(path).libraries
    assert library.fault is not None and "at most" in library.fault


@pytest.mark.parametrize("seed", range(8))
def test_damaged_files_never_end_in_a_traceback(seed: int, tmp_path: Path) -> None:
    draws = random.Random(seed)
    sources = [(packages.MANIFESTS / "release.bin").read_bytes(), elf(segments=GOOD, symbols=240)]
    path = tmp_path / "a.apk"
    for _ in range(40):
        manifest, library = (bytearray(each) for each in sources)
        for part in (manifest, library):
            for _ in range(draws.choice((0, 1, 4))):
                part[draws.randrange(len(part))] = draws.randrange(256)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("AndroidManifest.xml", bytes(manifest[: draws.choice((None, 300))]))
            archive.writestr("lib/arm64-v8a/a.so", bytes(library))
        whole = bytearray(path.read_bytes())
        if draws.random() < 0.3:
            whole[draws.randrange(len(whole))] = draws.randrange(256)
        path.write_bytes(whole)
        with contextlib.suppress(AppFileError):
            read_package(path)


def test_the_command_says_what_to_do(
    pocketclip: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    good = package(tmp_path / "good.apk", SOUND)
    run = pocketclip("app", "check", good)
    assert run.returncode == 0 and "nothing found" in run.stdout and "ONNX Runtime" in run.stdout
    bad = package(tmp_path / "bad.apk", {"lib/arm64-v8a/libexecutorch.so": elf(segments=OLD)})
    run = pocketclip("app", "check", bad)
    assert run.returncode == 1 and "PA001" in run.stdout and "max-page-size=16384" in run.stdout
    found = json.loads(pocketclip("app", "check", bad, "--json").stdout)
    assert [each["code"] for each in found["findings"]] == ["PA001"]
    assert found["sizes"][0]["runtime"] == "ExecuTorch"
    rules = pocketclip("app", "check", "--list")
    assert rules.returncode == 0 and "PA013" in rules.stdout
    assert pocketclip("app", "check", tmp_path / "none.apk").returncode == 2
