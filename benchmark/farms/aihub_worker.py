"""Talks to AI Hub in a process of its own: `python -P aihub_worker.py ACTION REQUEST ANSWER`, both files JSON.

`qai_hub` needs versions of other packages that PocketCLIP's converters do not take, so it is in a folder of its own,
and nothing of ours is imported here. It reads its token from its own configuration; the answer never holds it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# `qai_hub` asks for so many jobs at once; older ones than these many pages are not looked through.
_PAGE, _PAGES = 100, 20
# Its own status code for a configuration without a token.
_NO_TOKEN = 1000
# What an error message may be long; the service's may be a page.
_LONGEST = 600


def devices(client: Any, request: dict[str, Any]) -> Any:
    """All devices that the account may use."""
    return [{"name": each.name, "os": each.os, "attributes": list(each.attributes)} for each in client.get_devices()]


def submit(client: Any, request: dict[str, Any]) -> Any:
    """Uploads a model with its inputs and submits one job: inferences over the inputs, timed and with a profile."""
    import numpy as np
    import qai_hub  # pyright: ignore[reportMissingImports]

    shape = request["shape"]
    with open(request["inputs"], "rb") as stream:
        values = np.frombuffer(stream.read(), np.dtype(request["dtype"]).newbyteorder("<")).reshape(shape)
    samples = [np.ascontiguousarray(values[place : place + 1]) for place in range(len(values))]
    job = client.submit_inference_job(
        request["model"],
        device=qai_hub.Device(request["device"], request["os"]),
        inputs={request["input_name"]: samples},
        name=request["token"],
        options=request["options"],
        retry=False,
        profile=True,
    )
    return {"job_id": job.job_id}


def find(client: Any, request: dict[str, Any]) -> Any:
    """The job of a name."""
    for page in range(_PAGES):
        found = client.get_job_summaries(offset=page * _PAGE, limit=_PAGE)
        for each in found:
            if each.name == request["token"]:
                return {"job_id": each.job_id}
        if len(found) < _PAGE:
            break
    return {"job_id": None}


def status(client: Any, request: dict[str, Any]) -> Any:
    """How far a job is."""
    found = client.get_job(request["job_id"]).get_status()
    return {"state": found.code, "message": found.message or ""}


def results(client: Any, request: dict[str, Any]) -> Any:
    """The profile of a job that has ended, and its outputs as raw values in the folder, a file for each."""
    import numpy as np

    job = client.get_job(request["job_id"])
    profile = job.download_profile()
    outputs = []
    for place, (name, samples) in enumerate((job.download_output_data() or {}).items()):
        values = np.stack([np.asarray(sample) for sample in samples])
        file = f"output-{place}.bin"
        with open(os.path.join(request["folder"], file), "wb") as stream:
            stream.write(values.astype(values.dtype.newbyteorder("<")).tobytes())
        outputs.append({"name": name, "file": file, "dtype": values.dtype.name, "shape": list(values.shape)})
    with open(os.path.join(request["folder"], "profile.json"), "w", encoding="utf-8") as stream:
        json.dump(profile, stream)
    return {"outputs": outputs}


_ACTIONS = {each.__name__: each for each in (devices, submit, find, status, results)}


def _failure(error: BaseException, token: str | None) -> dict[str, str]:
    """What went wrong, by a code, in words of one line without the token."""
    words = " ".join("".join(character if character.isprintable() else " " for character in str(error)).split())
    for border in "┌┐└┘─|":
        words = words.replace(border, " ")
    words = " ".join(words.split()) or type(error).__name__
    if token:
        words = words.replace(token, "***")
    return {"code": _code(error), "message": words[:_LONGEST]}


def _code(error: BaseException) -> str:
    import qai_hub  # pyright: ignore[reportMissingImports]

    caused: BaseException | None = error
    number = None
    # The package words the service's refusal anew; the refusal itself is what it was handling.
    while caused is not None and number is None:
        number = getattr(caused, "status_code", None)
        caused = caused.__cause__ or caused.__context__
    if number in (401, 403, _NO_TOKEN) or "client configuration" in str(error) or isinstance(error, KeyError):
        return "login"
    # The package's class of it has a name of its own only inside.
    if number == 429 or type(error).__name__ == "RateLimitedError":
        return "rate-limited"
    codes = {404: "not-found", 426: "package"}
    if number in codes:
        return codes[number]
    if isinstance(error, (qai_hub.InternalError, OSError, TimeoutError)):
        return "unavailable"
    return "refused"


def main(action: str, request_file: str, answer_file: str) -> None:
    """Carries out an action and writes its answer, also of a failure."""
    with open(request_file, encoding="utf-8") as stream:
        request = json.load(stream)
    token = None
    try:
        import qai_hub  # pyright: ignore[reportMissingImports]

        client = qai_hub.Client()
        config = client.config
        token = config.api_token
        config.verbose = False
        found = _ACTIONS[action](client, request)
        answer = json.dumps({"version": str(qai_hub.__version__), "answer": found}, allow_nan=False)
    except ModuleNotFoundError as error:
        answer = json.dumps({"failure": {"code": "package", "message": f"{error.name} is missing"}})
    except Exception as error:
        answer = json.dumps({"failure": _failure(error, token)})
    with open(answer_file, "w", encoding="utf-8") as stream:
        stream.write(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
