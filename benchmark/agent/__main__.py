"""`python agent.pyz JOB RESULT`: measures one model on the machine it runs on, in one process.

The result is JSON, written completely or not at all. The last line on stdout states its length and SHA-256. Exit
codes do not survive every transport, so the reader of the result trusts only that line.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from typing import Callable

from pocketclip.benchmark.agent.measurement import JobFailure, measure

RESULT_VERSION = 5
RESULT_LINE = "POCKETCLIP-RESULT"


def main(arguments: list[str], measure: Callable[[dict], dict] = measure) -> int:
    """Runs the job. Returns 0 if it was measured, 1 if the result holds a failure, 2 on wrong usage."""
    if len(arguments) != 2:
        print(f"usage: python {os.path.basename(sys.argv[0])} JOB.json RESULT.json", file=sys.stderr)
        return 2
    job_path, result_path = arguments
    result = {"result_version": RESULT_VERSION, "job_id": None, "failure": None, "app_version": None}
    result["platform"] = f"Python {sys.version.split()[0]}"
    try:
        content = _read_job(job_path)
        result["request_sha256"] = hashlib.sha256(content).hexdigest()
        job = _parse_job(job_path, content)
        result["job_id"] = job.get("job_id") if isinstance(job, dict) else None
        result.update(measure(job))
    except JobFailure as failure:
        result["failure"] = {"code": failure.code, "message": str(failure)}
    content = json.dumps(result, allow_nan=False).encode()
    _write_whole(result_path, content)
    print(RESULT_LINE, len(content), hashlib.sha256(content).hexdigest(), flush=True)
    return 0 if result["failure"] is None else 1


def _read_job(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise JobFailure("bad-job", f"cannot read the job {path}: {error}") from error


def _parse_job(path: str, content: bytes) -> dict:
    try:
        return json.loads(content)
    except ValueError as error:
        raise JobFailure("bad-job", f"cannot read the job {path}: {error}") from error


def _write_whole(path: str, content: bytes) -> None:
    partial = path + ".partial"
    with open(partial, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
