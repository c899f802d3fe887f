"""What `pm`, `am instrument` and `dumpsys activity exit-info` print, of versions 8 to 15."""

from __future__ import annotations

import pytest

from pocketclip.benchmark.platforms.android.exit_info import Ending, parse_exits
from pocketclip.benchmark.platforms.android.instrumentation import RESULT_OK, parse_instrumentation
from pocketclip.benchmark.platforms.android.packages import parse_install, parse_package_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("package:/data/app/org.pocketclip.bench-1/base.apk\n", "/data/app/org.pocketclip.bench-1/base.apk"),
        (
            "package:/data/app/~~Hx3w==/org.pocketclip.bench-9u3==/split_config.apk\r\n"
            "package:/data/app/~~Hx3w==/org.pocketclip.bench-9u3==/base.apk\r\n",
            "/data/app/~~Hx3w==/org.pocketclip.bench-9u3==/base.apk",
        ),
        ("", None),
        ("Error: java.lang.SecurityException: Shell does not have permission to access user 10\n", None),
    ],
)
def test_package_path(text: str, expected: str | None) -> None:
    assert parse_package_path(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("Success\n", None, ""),
        ("\tpkg: /data/local/tmp/bench.apk\nSuccess\r\n", None, ""),
        (
            "Failure [INSTALL_FAILED_UPDATE_INCOMPATIBLE: Package org.pocketclip.bench signatures do not match "
            "previously installed version; ignoring!]\n",
            "INSTALL_FAILED_UPDATE_INCOMPATIBLE",
            "Package org.pocketclip.bench signatures do not match previously installed version; ignoring!",
        ),
        (
            "Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override installation location]",
            "INSTALL_FAILED_INSUFFICIENT_STORAGE",
            "Failed to override installation location",
        ),
        ("Failure [INSTALL_FAILED_OLDER_SDK]\n", "INSTALL_FAILED_OLDER_SDK", ""),
        (
            "Failure [INSTALL_FAILED_USER_RESTRICTED: Install canceled by user]\n",
            "INSTALL_FAILED_USER_RESTRICTED",
            "Install canceled by user",
        ),
        (
            "Failure [INSTALL_FAILED_NO_MATCHING_ABIS: INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native "
            "libraries, res=-113]\n",
            "INSTALL_FAILED_NO_MATCHING_ABIS",
            "INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113",
        ),
        (
            "Failure [INSTALL_PARSE_FAILED_NO_CERTIFICATES: Failed to collect certificates from\n /data/app/x.apk]\n",
            "INSTALL_PARSE_FAILED_NO_CERTIFICATES",
            "Failed to collect certificates from /data/app/x.apk",
        ),
        (
            "Error: failed to write; /data/local/tmp/bench.apk (No space left on device)\n",
            "INSTALL_UNKNOWN",
            "failed to write; /data/local/tmp/bench.apk (No space left on device)",
        ),
        ("", "INSTALL_UNKNOWN", ""),
    ],
)
def test_installation(text: str, code: str | None, message: str) -> None:
    found = parse_install(text)
    assert (found.code, found.message, found.succeeded) == (code, message, code is None)


GOOD = """\
INSTRUMENTATION_STATUS: progress=loaded; warming up
INSTRUMENTATION_STATUS_CODE: 1
INSTRUMENTATION_STATUS: progress=measuring
INSTRUMENTATION_STATUS_CODE: 1
INSTRUMENTATION_RESULT: pocketclip=1234 ab12
INSTRUMENTATION_CODE: -1
"""


def test_an_instrumentation_that_ends_well() -> None:
    for text in (GOOD, GOOD.replace("\n", "\r\n")):
        found = parse_instrumentation(text)
        assert (found.code, dict(found.results), found.fault) == (RESULT_OK, {"pocketclip": "1234 ab12"}, None)
        assert found.status["progress"] == "measuring"
        assert not found.crashed


@pytest.mark.parametrize(
    ("text", "crash"),
    [
        # Android 8, a native crash or a kill
        ("INSTRUMENTATION_RESULT: shortMsg=Process crashed.\nINSTRUMENTATION_CODE: 0\n", "Process crashed."),
        (
            "INSTRUMENTATION_STATUS: progress=measuring\nINSTRUMENTATION_STATUS_CODE: 1\n"
            "INSTRUMENTATION_RESULT: shortMsg=java.lang.OutOfMemoryError\n"
            "INSTRUMENTATION_RESULT: longMsg=java.lang.OutOfMemoryError: Failed to allocate\na 1 GB array\n"
            "INSTRUMENTATION_CODE: 0\n",
            "java.lang.OutOfMemoryError: java.lang.OutOfMemoryError: Failed to allocate\na 1 GB array",
        ),
    ],
)
def test_an_app_that_crashes(text: str, crash: str) -> None:
    found = parse_instrumentation(text)
    assert found.crashed
    assert (found.code, found.crash) == (0, crash)


def test_an_instrumentation_that_is_not_there() -> None:
    component = "ComponentInfo{org.pocketclip.bench/org.pocketclip.bench.BenchInstrumentation}"
    told = (
        "INSTRUMENTATION_STATUS: id=ActivityManagerService\n"
        f"INSTRUMENTATION_STATUS: Error=Unable to find instrumentation info for: {component}\n"
        "INSTRUMENTATION_STATUS_CODE: -1\n"
    )
    thrown = "android.util.AndroidException: INSTRUMENTATION_FAILED: org.pocketclip.bench/.BenchInstrumentation\n"
    for stdout, stderr in ((told, thrown), (told + thrown, "")):
        found = parse_instrumentation(stdout, stderr)
        assert found.code is None
        assert found.fault == f"Unable to find instrumentation info for: {component}"
    assert parse_instrumentation("", thrown).fault == (
        "INSTRUMENTATION_FAILED: org.pocketclip.bench/.BenchInstrumentation"
    )
    aborted = parse_instrumentation("INSTRUMENTATION_ABORTED: System has crashed.\n")
    assert (aborted.code, aborted.fault) == (None, "INSTRUMENTATION_ABORTED: System has crashed.")


def test_an_output_that_was_cut_off() -> None:
    found = parse_instrumentation(GOOD[: GOOD.index("INSTRUMENTATION_RESULT")])
    assert (found.code, dict(found.results), found.crashed, found.fault) == (None, {}, False, None)


EXITS_API_34 = """\
ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)
Last Timestamp of Persistence Into Persistent Storage: 2026-03-01 10:00:00.000
  package: org.pocketclip.bench
    Historical Process Exit for uid=10321
        ApplicationExitInfo #0:
          timestamp=2026-03-01 10:05:01.123 pid=21877 realUid=10321 packageUid=10321 definingUid=10321 user=0
          process=org.pocketclip.bench reason=2 (SIGNALED) subreason=0 (UNKNOWN) status=9
          importance=125 pss=0.00 rss=412MB description=null state=empty trace=null
        ApplicationExitInfo #1:
          timestamp=2026-03-01 10:01:00.000 pid=21001 realUid=10321 packageUid=10321 definingUid=10321 user=0
          process=org.pocketclip.bench reason=5 (APP CRASH(NATIVE)) subreason=0 (UNKNOWN) status=11
          importance=100 pss=0.00 rss=0.00 description=crash state=empty trace=/data/system/procexitstore/x.gz
        ApplicationExitInfo #2:
          timestamp=2026-03-01 09:01:00.000 pid=20001 realUid=10321 packageUid=10321 definingUid=10321 user=0
          process=org.pocketclip.bench reason=3 (LOW_MEMORY) subreason=0 (UNKNOWN) status=0
          importance=400 pss=0.00 rss=0.00 description=null state=empty trace=null
        ApplicationExitInfo #3:
          timestamp=2026-03-01 08:01:00.000 pid=19001 realUid=10321 packageUid=10321 definingUid=10321 user=0
          process=org.pocketclip.bench reason=10 (USER REQUESTED) subreason=21 (FORCE STOP) status=0
          importance=100 pss=0.00 rss=0.00 description=stop org.pocketclip.bench due to pid 9 state=empty trace=null
"""
# Android 11, where a subreason without a name stood as a number alone.
EXITS_API_30 = """\
  package: org.pocketclip.bench
    Historical Process Exit for uid=10101
        ApplicationExitInfo #0:
          timestamp=2026-03-01 10:05:01.123 pid=3001 realUid=10101 packageUid=10101 definingUid=10101 user=0
          process=org.pocketclip.bench reason=4 (APP CRASH(EXCEPTION)) status=0
          importance=100 pss=0.00 rss=0.00 description=crash state=empty trace=null
"""


def test_why_processes_ended() -> None:
    exits = parse_exits(EXITS_API_34)
    assert [each.pid for each in exits] == [21877, 21001, 20001, 19001]
    assert [each.ending for each in exits] == [Ending.KILLED, Ending.CRASHED, Ending.KILLED, Ending.KILLED]
    assert exits[0].worded == "SIGNALED, signal 9"
    assert exits[1].worded == "APP CRASH(NATIVE), signal 11, crash"
    assert exits[3].worded == "USER REQUESTED, stop org.pocketclip.bench due to pid 9"
    (old,) = parse_exits(EXITS_API_30)
    assert (old.ending, old.worded) == (Ending.CRASHED, "APP CRASH(EXCEPTION), crash")
    assert parse_exits("Unknown option: exit-info\n") == ()
