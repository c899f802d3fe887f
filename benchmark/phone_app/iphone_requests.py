"""What an iPhone's app is asked by the file `job.json` in its Documents, one start of the app for each.

`facts`, `measure` and `throughput` are as for Android. `arrange` makes folders and removes what lies in Documents: what
the app made itself it may write to and remove, and devicectl has no means to. Paths are below Documents.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from pocketclip.benchmark.phone_app.app_protocol import SentFile
from pocketclip.benchmark.phone_app.throughput_protocol import ThroughputJob
from pocketclip.benchmark.runners.protocol import JOB_VERSION, Job
from pocketclip.benchmark.transport.device_paths import DevicePathError, below
from pocketclip.models import documents

DOCUMENTS = "Documents"
JOB = "job.json"
RESULT = "result.json"
# Ours below Documents, of one bench at a time.
FOLDER = "pocketclip-bench"


def facts_request() -> dict[str, Any]:
    """Asks what the app is and has."""
    return {"action": "facts", "job_version": JOB_VERSION, "job_id": str(uuid.uuid4())}


def measure_request(job: Job, files: Sequence[SentFile]) -> dict[str, Any]:
    """Asks to measure; the app compares `files`, all of the model's and the inputs, with their hashes first."""
    return {"action": "measure", **documents.to_builtin(job), "files": [documents.to_builtin(each) for each in files]}


def throughput_request(job: ThroughputJob, files: Sequence[SentFile]) -> dict[str, Any]:
    """Asks for a throughput; the app compares `files`, all of the model's, and the photographs with their hashes."""
    return {
        "action": "throughput",
        **documents.to_builtin(job),
        "files": [documents.to_builtin(each) for each in files],
    }


def arrange_request(*, remove: Sequence[str] = (), folders: Sequence[str] = ()) -> dict[str, Any]:
    """Asks to remove files and folders first, which need not be there, and then to make folders.

    Where the answer's own file is among what is removed, the app writes none, and announces an empty one.

    Raises:
        DevicePathError: a path is none of ours.
    """
    for path in (*remove, *folders):
        below(DOCUMENTS, path)
        if path.split("/")[0] not in (FOLDER, JOB, RESULT):
            raise DevicePathError(f"{path!r} in the app's {DOCUMENTS} is not of PocketCLIP's bench")
    return {
        "action": "arrange",
        "job_version": JOB_VERSION,
        "job_id": str(uuid.uuid4()),
        "remove": list(remove),
        "folders": list(folders),
    }
