"""Assembles a real, signed APK of what the Maven reactor compiled: what Gradle does, by the same tools without Gradle.

Classes go through D8, resources and manifest were linked by aapt2 in the reactor, native libraries come from the AARs
that can be had; then aligned to pages of 16 KB, which Debian's zipalign cannot, and signed by apksigner with a key that
is thrown away.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("aapt2", "zipalign", "apksigner", "dexdump", "keytool", "java")
ABIS = ("arm64-v8a", "x86_64")
MIN_SDK = 26
PAGE = 16 * 1024
# The kind of an extra field that is there for its length, as zipalign writes it.
_PADDING = 0xD935
# Own modules whose classes are in both applications.
SHARED = ("core", "machine", "runtime-executorch", "runtime-onnxruntime", "runtime-litert")


@dataclass(frozen=True)
class Application:
    """One of the two, and which of the AARs it is made with: those whose name begins with one of `libraries`."""

    name: str
    libraries: tuple[str, ...]

    @property
    def package(self) -> str:
        return f"org.pocketclip.{self.name}"


# The runtimes' AARs are not to be had without Google's registry and Central's large files: an app without them says so.
BENCH = Application("bench", ())
APP = Application("app", ("",))


def missing_programs() -> list[str]:
    """What must be installed first; Debian has all of it."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def assemble(application: Application, proof: Path, out: Path, cache: Path) -> Path:
    """Builds `out/NAME.apk` of a compiled reactor and returns it.

    Args:
        application: which one.
        proof: the reactor's folder, compiled.
        out: gets the APK and its parts; what lies there is overwritten.
        cache: keeps dexed libraries by a hash of their names and sizes.

    Raises:
        subprocess.CalledProcessError: a tool refuses what it is given; its output is in the error.
    """
    module = proof / "android" / application.name / "target"
    # What both have is dexed once, by itself.
    shared = _library_jars(BENCH, proof)
    further = [jar for jar in _library_jars(application, proof) if jar not in shared]
    out.mkdir(parents=True, exist_ok=True)
    program = out / f"{application.name}-classes.jar"
    _jar(_class_folders(application, proof), program)
    tools = proof / "android" / "app" / "target" / "tools"
    dexed = [_dex([program], [*shared, *further], tools, out / f"{application.name}-dex")]
    dexed.append(_dexed_libraries(shared, [], tools, cache))
    if further:
        dexed.append(_dexed_libraries(further, shared, tools, cache))
    unsigned = out / f"{application.name}-unsigned.apk"
    shutil.copy(module / "resources.ap_", unsigned)
    with zipfile.ZipFile(unsigned, "a") as apk:
        # The program first: its classes are wanted first.
        for place, dex in enumerate(dex for folder in dexed for dex in sorted(folder.glob("*.dex"))):
            _add(apk, "classes.dex" if place == 0 else f"classes{place + 1}.dex", dex, zipfile.ZIP_DEFLATED)
        for name, library in _native_libraries(application, proof):
            # Stored: they are mapped from the APK as they are.
            _add(apk, name, library, zipfile.ZIP_STORED)
    aligned = out / f"{application.name}-aligned.apk"
    _align(unsigned, aligned)
    signed = out / f"{application.name}.apk"
    _run(
        "apksigner", "sign", "--ks", _key(out), "--ks-pass", "pass:throwaway", "--min-sdk-version", str(MIN_SDK),
        "--out", signed, aligned,
    )  # fmt: skip
    return signed


def _align(source: Path, target: Path) -> None:
    """Copies an archive; what is stored begins at multiples of 4 bytes, libraries at pages."""
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(target, "w") as archive:
        for entry in given.infolist():
            content = given.read(entry)
            entry.extra = b""
            if entry.compress_type == zipfile.ZIP_STORED:
                assert archive.fp is not None
                # The local header, the name, and the field's own head.
                start = archive.fp.tell() + 30 + len(entry.filename.encode()) + 4
                padding = -start % (PAGE if entry.filename.endswith(".so") else 4)
                entry.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
            archive.writestr(entry, content)


def _class_folders(application: Application, proof: Path) -> list[Path]:
    modules = [proof / "android" / application.name]
    modules += [proof / name if (proof / name).is_dir() else proof / "android" / name for name in SHARED]
    return [module / "target" / "classes" for module in modules]


def _exploded(application: Application, proof: Path) -> list[Path]:
    return [
        folder
        for folder in sorted((proof / "android" / "aars" / "target" / "exploded").iterdir())
        if folder.name.startswith(application.libraries)
    ]


def _library_jars(application: Application, proof: Path) -> list[Path]:
    android = proof / "android"
    jars = [folder / "classes.jar" for folder in _exploded(application, proof)]
    if application is APP:
        jars += (android / "aars" / "target" / "jars").glob("*.jar")
    # Both have the same versions: one copy of each stands for all.
    own = {jar.name: jar for name in ("app", "bench") for jar in (android / name / "target" / "lib").glob("*.jar")}
    wanted = {jar.name for jar in (android / application.name / "target" / "lib").glob("*.jar")}
    return sorted(jar for jar in [*jars, *(own[name] for name in wanted)] if jar.is_file())


def _native_libraries(application: Application, proof: Path) -> Iterable[tuple[str, Path]]:
    for folder in _exploded(application, proof):
        for abi in ABIS:
            for library in sorted((folder / "jni" / abi).glob("*.so")):
                yield f"lib/{abi}/{library.name}", library


def _jar(folders: list[Path], target: Path) -> None:
    with zipfile.ZipFile(target, "w") as jar:
        for folder in folders:
            for file in sorted(folder.rglob("*.class")):
                _add(jar, file.relative_to(folder).as_posix(), file, zipfile.ZIP_STORED)


def _add(archive: zipfile.ZipFile, name: str, file: Path, compression: int) -> None:
    # Without the file's time: AARs have some from before 1980, which a zip cannot hold.
    archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), compression)


def _dexed_libraries(jars: list[Path], classpath: list[Path], tools: Path, cache: Path) -> Path:
    digest = hashlib.sha256((tools / "r8.jar").stat().st_size.to_bytes(8, "little"))
    for jar in jars:
        digest.update(f"{jar.parent.name}/{jar.name} {jar.stat().st_size}\n".encode())
    folder = cache / f"dex-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _dex(jars, classpath, tools, partial)
        partial.rename(folder)
    return folder


def _dex(jars: list[Path], classpath: list[Path], tools: Path, out: Path) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    beside = [argument for jar in classpath for argument in ("--classpath", jar)]
    _run(
        "java", "-Xmx2g", "-cp", tools / "r8.jar", "com.android.tools.r8.D8", "--release", "--min-api", str(MIN_SDK),
        "--lib", tools / "android-all.jar", *beside, "--output", out, *jars,
    )  # fmt: skip
    return out


def _key(folder: Path) -> Path:
    key = folder / "throwaway.p12"
    if not key.is_file():
        _run(
            "keytool", "-genkeypair", "-keystore", key, "-storetype", "PKCS12", "-storepass", "throwaway",
            "-alias", "key",
            "-keyalg", "EC", "-dname", "CN=PocketCLIP tests", "-validity", "2",
        )  # fmt: skip
    return key


def _run(*command: str | Path) -> str:
    try:
        return subprocess.run(
            [str(part) for part in command], check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.output[-4000:])
        raise
