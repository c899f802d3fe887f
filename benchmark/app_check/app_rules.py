"""The rules for apps: a literal table. Codes stay what they are once published; a rule that goes leaves a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pocketclip.benchmark.app_check.native_library import PAGE_BYTES, Abi
from pocketclip.benchmark.app_check.package_file import PackagedLibrary, PackageFile, PackageKind
from pocketclip.export.artifact.lint_finding import LintFinding, Severity

# What Google Play asks of new apps and updates since 31 August 2026.
REQUIRED_TARGET_SDK = 36

_PAGES = "developer.android.com/guide/practices/page-sizes"
_TARGET = "developer.android.com/google/play/requirements/target-sdk"
_64_BIT = "developer.android.com/google/play/requirements/64-bit"
_EXTRACT = "developer.android.com/guide/topics/manifest/application-element#extractNativeLibs"
_STRIP = "developer.android.com/studio/build/native-dependencies"

# Folders that Android has known and no longer loads from.
_GONE = frozenset({"armeabi", "mips", "mips64"})

Spots = Iterator[tuple[str, str]]
"""Where a rule applies, and what is there."""


@dataclass(frozen=True)
class AppRule:
    """A rule: its code, a title, why it matters, what to do, who says so, and the function that finds places."""

    code: str
    severity: Severity
    title: str
    reason: str
    fix: str
    source: str
    check: Callable[[PackageFile], Spots]


def _unreadable(package: PackageFile) -> Spots:
    for each in package.libraries:
        if each.fault is not None:
            yield each.path, each.fault


def _wrong_folder(package: PackageFile) -> Spots:
    for each in package.libraries:
        if each.library is not None and each.folder is not None and each.folder != each.library.abi:
            yield each.path, f"is for {each.library.abi}, in the folder of {each.folder}"


def _small_segments(package: PackageFile) -> Spots:
    for each in _with_large_pages(package):
        assert each.library is not None
        if each.library.alignment < PAGE_BYTES:
            yield each.path, f"its segments are aligned to {each.library.alignment // 1024} KB"


def _misplaced_segments(package: PackageFile) -> Spots:
    for each in _with_large_pages(package):
        assert each.library is not None
        segment = each.library.misplaced
        if each.library.alignment >= PAGE_BYTES and segment is not None:
            yield (
                each.path,
                f"its segment at {segment.address:#x} cannot be mapped in pages of 16 KB, though it says so",
            )


def _unaligned_entries(package: PackageFile) -> Spots:
    extracted = package.manifest is not None and package.manifest.extracts_libraries
    for each in _with_large_pages(package) if package.kind is PackageKind.APK and not extracted else ():
        if each.data_offset is not None and each.data_offset % PAGE_BYTES:
            yield each.path, f"stored at byte {each.data_offset}, not at a multiple of {PAGE_BYTES}"


def _compressed_without_extraction(package: PackageFile) -> Spots:
    if package.manifest is None or package.manifest.extracts_libraries is not False:
        return
    for each in package.libraries:
        if each.data_offset is None:
            yield each.path, "is compressed, and the manifest says that libraries are not extracted"


def _extracted(package: PackageFile) -> Spots:
    extracts = package.manifest is not None and package.manifest.extracts_libraries
    if package.kind is PackageKind.APK and extracts and package.libraries:
        size = sum(each.size_bytes for each in package.libraries)
        yield "AndroidManifest.xml", f"extractNativeLibs: {size / 1e6:.1f} MB of libraries are on the phone twice"


def _no_arm64(package: PackageFile) -> Spots:
    if package.kind is not PackageKind.LIBRARY and package.libraries and Abi.ARM64 not in package.abis:
        yield "libraries", f"only for {', '.join(sorted(package.abis))}"


def _incomplete_abi(package: PackageFile) -> Spots:
    names = {each.name for each in package.libraries}
    for abi in sorted(package.abis):
        lacking = names - {each.name for each in package.libraries if each.folder == abi}
        if lacking and len(package.abis) > 1:
            yield abi, f"lacks {', '.join(sorted(lacking)[:3])}, which other processors have"


def _gone_abi(package: PackageFile) -> Spots:
    for abi in sorted(package.abis - set(Abi)):
        known = "no Android of today loads from it" if abi in _GONE else "no processor of Android's is called so"
        yield abi, known


def _unstripped(package: PackageFile) -> Spots:
    for each in package.libraries:
        if each.library is not None and each.library.symbol_bytes:
            yield each.path, f"{each.library.symbol_bytes / 1e6:.1f} MB of {each.size_bytes / 1e6:.1f} MB are symbols"


def _old_target(package: PackageFile) -> Spots:
    if package.manifest is None:
        return
    target = package.manifest.target_sdk
    if target is None:
        yield "AndroidManifest.xml", "no targetSdkVersion, or one of a preview"
    elif target < REQUIRED_TARGET_SDK:
        yield "AndroidManifest.xml", f"targetSdkVersion is {target}"


def _debuggable(package: PackageFile) -> Spots:
    if package.manifest is not None and package.manifest.debuggable:
        yield "AndroidManifest.xml", "debuggable is true"


def _with_large_pages(package: PackageFile) -> Iterator[PackagedLibrary]:
    """Libraries that devices with pages of 16 KB load."""
    return (each for each in package.libraries if each.library is not None and each.library.abi.is_64_bit)


APP_RULES: tuple[AppRule, ...] = (
    AppRule(
        "PA001",
        Severity.ERROR,
        "segments for pages of 4 KB",
        "devices with pages of 16 KB cannot load the library, and Google Play refuses apps for Android 15 or later",
        "take a newer version of what brings the library; your own: NDK r28, or -Wl,-z,max-page-size=16384",
        _PAGES,
        _small_segments,
    ),
    AppRule(
        "PA002",
        Severity.ERROR,
        "segments that claim pages of 16 KB",
        "a changed header does not move segments: the linker fails or maps data as code",
        "link the library again with -Wl,-z,max-page-size=16384",
        _PAGES,
        _misplaced_segments,
    ),
    AppRule(
        "PA003",
        Severity.ERROR,
        "library not at a page in the package",
        "libraries that are not compressed are mapped from the package itself, page by page",
        "zipalign -P 16 -f 4 IN OUT before signing; Android Gradle plugin 8.5.1 or later does it",
        _PAGES,
        _unaligned_entries,
    ),
    AppRule(
        "PA004",
        Severity.ERROR,
        "compressed library that is not extracted",
        "the linker cannot map a compressed library: the app ends when it loads it",
        "store libraries without compression (useLegacyPackaging = false), or set extractNativeLibs to true",
        _EXTRACT,
        _compressed_without_extraction,
    ),
    AppRule(
        "PA005",
        Severity.WARNING,
        "libraries on the phone twice",
        "extracted libraries take their room in the package and beside it",
        "set useLegacyPackaging = false (the default since minSdk 23)",
        _EXTRACT,
        _extracted,
    ),
    AppRule(
        "PA006",
        Severity.ERROR,
        "no 64-bit Arm",
        "phones of today run arm64-v8a only, and Google Play refuses apps without it",
        "add arm64-v8a to abiFilters and to what brings the libraries",
        _64_BIT,
        _no_arm64,
    ),
    AppRule(
        "PA007",
        Severity.ERROR,
        "processor without all libraries",
        "a device takes the folder of its own processor and none other: the app ends when it loads the missing one",
        "set abiFilters to the processors that all libraries are there for",
        "developer.android.com/ndk/guides/abis",
        _incomplete_abi,
    ),
    AppRule(
        "PA008",
        Severity.WARNING,
        "folder of an unknown processor",
        "what is in it is downloaded and never loaded",
        "remove it with abiFilters",
        "developer.android.com/ndk/guides/abis",
        _gone_abi,
    ),
    AppRule(
        "PA009",
        Severity.ERROR,
        "library of another processor",
        "the linker refuses a library that is not for its processor",
        "put each library into the folder of its processor",
        "developer.android.com/ndk/guides/abis",
        _wrong_folder,
    ),
    AppRule(
        "PA010",
        Severity.WARNING,
        "symbols left",
        "symbols and debug information are downloaded by everybody and used by nobody",
        "let Gradle strip the libraries (remove keepDebugSymbols), or llvm-strip them",
        _STRIP,
        _unstripped,
    ),
    AppRule(
        "PA011",
        Severity.ERROR,
        "old target level",
        f"since 31 August 2026 Google Play takes new apps and updates that target level {REQUIRED_TARGET_SDK} or later",
        f"set targetSdk to {REQUIRED_TARGET_SDK}, and test what changes with it",
        _TARGET,
        _old_target,
    ),
    AppRule(
        "PA012",
        Severity.ERROR,
        "debuggable",
        "anybody can look into the running app, and Google Play refuses it",
        "build the release variant",
        "developer.android.com/guide/topics/manifest/application-element#debug",
        _debuggable,
    ),
    AppRule(
        "PA013",
        Severity.ERROR,
        "unreadable library",
        "what cannot be read here cannot be loaded there",
        "build the package again",
        "refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html",
        _unreadable,
    ),
)


def findings_in(package: PackageFile) -> tuple[LintFinding, ...]:
    """What the rules find in a package, in the order of their codes."""
    return tuple(
        LintFinding(rule.code, rule.severity, where, message, rule.fix)
        for rule in APP_RULES
        for where, message in rule.check(package)
    )


HEADINGS = ("code", "severity", "rule", "reason", "fix", "source")


def rule_rows() -> list[tuple[str, ...]]:
    """A row for each rule, under the headings."""
    return [(rule.code, str(rule.severity), rule.title, rule.reason, rule.fix, rule.source) for rule in APP_RULES]


def markdown_table() -> str:
    """The rules as a Markdown table with a final newline, as docs/lint.md has it."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *rule_rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
