"""`am instrument -w -r [-e NAME VALUE]... COMPONENT` and `am force-stop PACKAGE`.

The instrumentation is the JVM build of the bench core, that of the APK that is installed. Faults that no kill from
outside can bring about are in the state's `answer_faults`: each is for the next answer to its action.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from android_state import FOLDER, PACKAGE, changing, log_call, phone

COMPONENT = f"{PACKAGE}/{PACKAGE}.BenchInstrumentation"
INTERNAL = f"/data/data/{PACKAGE}/files"
JAVA = "/jvm/bin/java"


def _shared() -> str:
    """The folder that the app would choose on this version of Android."""
    if int(phone()["properties"]["ro.build.version.sdk"]) >= 29:
        return f"/sdcard/Android/media/{PACKAGE}"
    return f"/sdcard/Android/data/{PACKAGE}/files"


def instrument(arguments: list[str]) -> None:
    """Starts the app once and passes on what it says."""
    extras = {arguments[i + 1]: arguments[i + 2] for i in range(len(arguments) - 2) if arguments[i] == "-e"}
    installed = phone()["packages"].get(PACKAGE)
    if arguments[-1] != COMPONENT or installed is None or not installed.get("instrumentation", True):
        package, _, name = arguments[-1].partition("/")
        print("INSTRUMENTATION_STATUS: id=ActivityManagerService")
        print(
            "INSTRUMENTATION_STATUS: Error=Unable to find instrumentation info for: "
            f"ComponentInfo{{{package}/{name}}}\nINSTRUMENTATION_STATUS_CODE: -1"
        )
        print(f"android.util.AndroidException: INSTRUMENTATION_FAILED: {arguments[-1]}", file=sys.stderr)
        sys.exit(1)
    shared = _shared()
    os.makedirs(shared, exist_ok=True)
    app = os.path.dirname(installed["path"])
    command = [JAVA, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
    command += [f"-Donnxruntime.native.path={app}/lib/x86_64"]
    command += ["-cp", f"{app}/classes/*", "org.pocketclip.bench.cli.MainKt"]
    command += ["--external", shared, "--internal", INTERNAL, "--state", f"{FOLDER}/services.json", extras["action"]]
    command += [extras[name] for name in ("request", "request_sha256") if name in extras]
    stop()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with changing() as state:
        state["pid"] = process.pid
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        # What the app announces is passed on at the end, once it is known that it ended well.
        if line.startswith(("INSTRUMENTATION_RESULT", "INSTRUMENTATION_CODE")):
            lines.append(line)
        else:
            print(line, end="", flush=True)
    code = process.wait()
    with changing() as state:
        state["pid"] = None
        meant = [each for each in state["answer_faults"] if each["action"] == extras["action"]]
        fault = meant[0] if meant else None
        state["answer_faults"] = [each for each in state["answer_faults"] if each is not fault]
        if code < 0:
            state["exits"].append(_exit(process.pid, -code))
    if code < 0:
        print("INSTRUMENTATION_RESULT: shortMsg=Process crashed.\nINSTRUMENTATION_CODE: 0")
        return
    if fault is not None:
        lines = _spoil(fault, extras, lines)
    print("".join(lines), end="", flush=True)


def _exit(pid: int, number: int) -> Mapping[str, Any]:
    at = time.strftime("%Y-%m-%d %H:%M:%S.000")
    native = number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL)
    reason, word = (5, "APP CRASH(NATIVE)") if native else (2, "SIGNALED")
    return {"at": at, "pid": pid, "reason": reason, "word": word, "status": number}


def _spoil(fault: Mapping[str, Any], extras: Mapping[str, str], lines: list[str]) -> list[str]:
    """Damages the answer as a fault has it: `truncate`, `flip`, or other `values`, announced as if they were true."""
    folder = os.path.dirname(extras["request"]) if "request" in extras else "facts"
    path = f"{_shared()}/{folder}/result.json"
    with open(path, "rb") as stream:
        content = stream.read()
    if fault["kind"] == "truncate":
        content = content[:-9]
    elif fault["kind"] == "flip":
        content = bytes([content[0] ^ 1]) + content[1:]
    elif fault["kind"] == "values":
        content = json.dumps(json.loads(content) | fault["values"]).encode()
        digest = hashlib.sha256(content).hexdigest()
        lines = [f"INSTRUMENTATION_RESULT: pocketclip={len(content)} {digest}\n", "INSTRUMENTATION_CODE: -1\n"]
    with open(path, "wb") as stream:
        stream.write(content)
    return lines


def stop() -> None:
    """Ends the app where it runs, as `force-stop` does."""
    pid = phone()["pid"]
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


called = log_call("am")
if called[:1] == ["instrument"] and len(called) > 1:
    instrument(called)
elif called == ["force-stop", PACKAGE]:
    stop()
else:
    print("Activity manager (activity) commands:")
    sys.exit(255)
