"""A stand-in for the package `qai_hub`, for the process that talks to AI Hub: a folder of state is the service.

It has the names and shapes of qai-hub 0.56.0 that the worker uses, and is copied to where the package is looked for.
`POCKETCLIP_STAND_IN` names the folder: `state.json` says what the service answers, `jobs.json` what was submitted.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

__version__ = "0.56.0"


class Error(Exception):
    pass


class InternalError(Error):
    pass


class UserError(Error):
    pass


class RateLimitedError(Error):
    pass


class APIException(Exception):
    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass
class Device:
    name: str = ""
    os: str = ""
    attributes: list[str] = field(default_factory=list)


_FOLDER = Path(os.environ["POCKETCLIP_STAND_IN"])


def _state() -> dict[str, Any]:
    return json.loads((_FOLDER / "state.json").read_text())


def _jobs() -> list[dict[str, Any]]:
    file = _FOLDER / "jobs.json"
    return json.loads(file.read_text()) if file.exists() else []


def _refuse(action: str) -> None:
    """Raises what the state says of an action, so often as it says."""
    state = _state()
    left = state.get("errors", {}).get(action, [])
    if not left:
        return
    kind, status, message = left.pop(0)
    (_FOLDER / "state.json").write_text(json.dumps(state))
    if kind == "crash":
        os._exit(7)
    try:
        raise APIException(message, status)
    except APIException:
        raise globals()[kind](message) from None


class _Job:
    def __init__(self, content: dict[str, Any]) -> None:
        self.job_id, self.name, self._content = content["job_id"], content["name"], content

    def get_status(self) -> Any:
        _refuse("status")
        state = _state()
        states = state["states"]
        code, message = states.pop(0) if len(states) > 1 else states[0]
        (_FOLDER / "state.json").write_text(json.dumps(state))
        return SimpleNamespace(code=code, message=message)

    def download_profile(self) -> Any:
        _refuse("results")
        return _state()["profile"]

    def download_output_data(self) -> Any:
        import numpy as np

        told = _state()["outputs"]
        return {
            name: [np.asarray(sample, dtype) for sample in samples] for name, (dtype, samples) in told.items()
        } or None


class Client:
    def __init__(self) -> None:
        self.config = SimpleNamespace(api_token=_state()["token"], verbose=True)
        _refuse("client")

    def get_devices(self) -> list[Device]:
        print("the token is", self.config.api_token)
        _refuse("devices")
        return [Device(*each) for each in _state()["devices"]]

    def submit_inference_job(self, model: str, device: Device, inputs: Any, **options: Any) -> _Job:
        jobs = _jobs()
        (sent_name, samples), *others = inputs.items()
        assert not others
        _refuse("submit")
        files = sorted(each.name for each in Path(model).iterdir()) if Path(model).is_dir() else [Path(model).name]
        jobs.append(
            {
                "job_id": f"j{len(jobs)}",
                "files": files,
                "device": [device.name, device.os],
                "input": [sent_name, len(samples), list(samples[0].shape), samples[0].dtype.name],
                **options,
            }
        )
        (_FOLDER / "jobs.json").write_text(json.dumps(jobs))
        _refuse("after submit")
        return _Job(jobs[-1])

    def get_job_summaries(self, offset: int, limit: int) -> list[_Job]:
        _refuse("find")
        return [_Job(each) for each in reversed(_jobs())][offset : offset + limit]

    def get_job(self, job_id: str) -> _Job:
        found = [_Job(each) for each in _jobs() if each["job_id"] == job_id]
        if not found:
            try:
                raise APIException("", 404)
            except APIException:
                raise UserError(f"Job ID '{job_id}' could not be found.") from None
        return found[0]
