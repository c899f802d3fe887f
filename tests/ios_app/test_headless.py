"""The headless program as the harness would meet it on a phone, with outputs of the reference executor replayed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketclip.benchmark.phone_app.app_protocol import AppFacts
from pocketclip.benchmark.records.benchmark import LoadMode, WarmupRule
from pocketclip.benchmark.runners.agent_runner import ResultError, check_announced, parse_outputs
from pocketclip.benchmark.runners.golden_check import check_outputs
from pocketclip.benchmark.runners.protocol import JOB_VERSION, RESULT_VERSION, AgentResult, InputFile, Job
from pocketclip.benchmark.transport import Execution
from pocketclip.export.artifact.reading import Artifact, load_artifact
from pocketclip.export.bundle.prompts import StoredTemplates
from pocketclip.export.bundle.reading import OpenedBundle, read_bundle
from pocketclip.export.bundle.selftest import self_test
from pocketclip.export.bundle.tokenizer import BundleTokenizer
from pocketclip.export.targets import open_model
from pocketclip.models import documents
from tests.ios_app.conftest import replay_model, write_replay
from tests.ios_app.swift_package import SwiftBuild

ROOT = "/mnt/phone"


@dataclass(frozen=True)
class Phone:
    """A folder that stands for the app's Documents, with an artefact and its replay in it, and the job that fits."""

    build: SwiftBuild
    documents: Path
    job: dict[str, Any]
    artifact: Artifact

    def measure(self, job: dict[str, Any] | None = None, state: dict[str, Any] | None = None) -> AgentResult:
        """Starts the program; the result, verified as the harness does it."""
        return documents.parse(AgentResult, self.start(job or self.job, state), source="result.json", error=ResultError)

    def start(self, job: object, state: dict[str, Any] | None = None) -> bytes:
        """Starts the program; the content of its result."""
        self.documents.joinpath("job.json").write_text(json.dumps(job) if not isinstance(job, str) else job)
        self.documents.joinpath("state.json").write_text(json.dumps(state or {}))
        arguments = ["--documents", ROOT, "--state", f"{ROOT}/state.json", "--app-version", "0.1.0"]
        ran = self.build.bench(*arguments, mounts={self.documents: ROOT})
        assert ran.returncode == 0, ran.stderr
        content = self.documents.joinpath("result.json").read_bytes()
        check_announced(content, Execution(exit_code=ran.returncode, stdout=ran.stdout, stderr=ran.stderr))
        return content

    def failure(self, job: dict[str, Any] | None = None, state: dict[str, Any] | None = None) -> tuple[str, str]:
        """Code and message of the failure that must come."""
        result = self.measure(job, state)
        assert result.failure is not None
        assert result.launch is None and result.outputs is None
        return result.failure.code, result.failure.message


@pytest.fixture(scope="module")
def image_artifact(nano_exports: dict[tuple[str, str, str], Any]) -> Artifact:
    return load_artifact(Path(nano_exports["coreml", "fp16", "image"].folder))


@pytest.fixture
def phone(swift_build: SwiftBuild, image_artifact: Artifact, tmp_path: Path) -> Phone:
    manifest = image_artifact.manifest
    place = f"models/{manifest.sha256}"
    for entry in manifest.files:
        goal = tmp_path / place / entry.path
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(image_artifact.folder / entry.path, goal)
    golden = manifest.golden.inputs
    inputs = image_artifact.golden(golden)
    session = open_model(manifest.target, image_artifact.folder / manifest.entry_point)
    outputs = np.concatenate([session.run([sample[None]])[0] for sample in inputs]).astype("<f4")
    session.close()
    write_replay(
        tmp_path / place / "model.replay.json",
        [sample.tobytes() for sample in inputs],
        outputs.tobytes(),
        outputs.shape[1],
        "reference executor",
    )
    job = Job(
        job_id="3f0c",
        runtime="coreml",
        model_path=f"{place}/{manifest.entry_point}",
        inputs=(InputFile(f"{place}/{golden.file}", golden.dtype, golden.shape),),
        threads=1,
        warmup=WarmupRule(),
        iterations=25,
        minimum_seconds=0.0,
        sustained_seconds=None,
        cores=None,
        accelerator="cpu+ane",
        load_mode=LoadMode.FILE,
        outputs_path="launch-1/outputs.bin",
    )
    files = [
        {"path": f"{place}/{entry.path}", "size_bytes": entry.size_bytes, "sha256": entry.sha256}
        for entry in manifest.model_files
    ]
    return Phone(
        swift_build, tmp_path, {**documents.to_builtin(job), "action": "measure", "files": files}, image_artifact
    )


def test_a_package_is_measured(phone: Phone) -> None:
    result = phone.measure()
    assert result.failure is None
    assert result.result_version == RESULT_VERSION
    assert (result.job_id, result.app_version) == ("3f0c", "0.1.0")
    assert result.runtime_version == "replay of the reference executor"
    launch, described = result.launch, result.outputs
    assert launch is not None and described is not None
    assert len(launch.steady_ns) == 25
    assert launch.during and launch.reload_ns is not None
    assert launch.loaded_bytes and launch.loaded_bytes > 1_000_000
    outputs = parse_outputs((phone.documents / "launch-1/outputs.bin").read_bytes(), described)
    check = check_outputs(phone.artifact, outputs)
    assert check.exported_cosine_min > 0.9999
    assert check.samples == len(outputs)


def test_a_sustained_run(phone: Phone) -> None:
    result = phone.measure({**phone.job, "sustained_seconds": 0.2, "iterations": 1}, {"thermal_status": 1})
    assert result.launch is not None
    assert len(result.launch.minutes) == 1
    assert result.launch.minutes[0].after.thermal_status == 1


def test_facts(phone: Phone) -> None:
    content = phone.start({"job_version": JOB_VERSION, "action": "facts"})
    facts = documents.parse(AppFacts, content, source="facts", error=ResultError)
    assert (facts.job_version, facts.result_version) == (JOB_VERSION, RESULT_VERSION)
    assert facts.app_version == "0.1.0"
    assert facts.accelerators == {
        "coreai": ("all", "gpu", "npu", "cpu"),
        "coreml": ("all", "cpu+ane", "cpu+gpu", "cpu"),
    }
    assert facts.free_bytes


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"job_version": 2}, "bad-job", "version 4, got 2"),
        ({"surprise": 1}, "bad-job", "surprise"),
        ({"iterations": 0}, "bad-job", "at least one iteration"),
        ({"cores": [0]}, "bad-job", "no cores"),
        ({"action": "stage"}, "bad-job", '"facts", "measure", "throughput" or "arrange"'),
        ({"inputs": []}, "bad-job", "one input"),
        ({"runtime": "litert"}, "runtime-missing", "choose from coreml"),
        ({"accelerator": "nnapi"}, "accelerator-missing", "cpu+ane"),
        ({"load_mode": "mmap"}, "accelerator-missing", "file"),
        ({"model_path": "../model.mlpackage"}, "path-outside", "leaves the folder"),
        ({"outputs_path": "/tmp/outputs.bin"}, "path-outside", "absolute"),
        ({"files": []}, "model-altered", "lists no file"),
    ],
)
def test_jobs_that_cannot_be_carried_out(phone: Phone, change: dict[str, Any], code: str, words: str) -> None:
    found, message = phone.failure({**phone.job, **change})
    assert found == code, message
    assert words in message


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"battery_percent": 12, "charging": False}, "low-battery"),
        ({"power_saver": True}, "power-saver"),
        ({"thermal_status": 2}, "thermal"),
        ({"thermal_status": 3}, "thermal"),
        ({"debuggable": True}, "debuggable"),
    ],
)
def test_a_phone_that_is_not_fit(phone: Phone, state: dict[str, Any], code: str) -> None:
    found, message = phone.failure(state=state)
    assert found == code, message
    assert ";" in message, "it says what to do"


def test_a_phone_on_the_charger_is_fit(phone: Phone) -> None:
    assert phone.measure(state={"battery_percent": 12, "charging": True, "thermal_status": 1}).failure is None


def _damage_weights(phone: Phone) -> None:
    weights = next((phone.documents / phone.job["model_path"]).rglob("weight.bin"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


def _add_file(phone: Phone) -> None:
    (phone.documents / phone.job["model_path"] / "Data/more.bin").write_bytes(b"x")


def _link_package(phone: Phone) -> None:
    package = phone.documents / phone.job["model_path"]
    package.rename(package.with_name("elsewhere"))
    package.symlink_to("elsewhere")


def _remove_replay(phone: Phone) -> None:
    next(phone.documents.rglob("*.replay.json")).unlink()


def _spoil_outputs(phone: Phone) -> None:
    outputs = next(phone.documents.rglob("*.outputs.bin"))
    values = np.fromfile(outputs, "<f4")
    values[3] = np.nan
    values.tofile(outputs)


def _truncate_inputs(phone: Phone) -> None:
    inputs = phone.documents / phone.job["inputs"][0]["path"]
    inputs.write_bytes(inputs.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_damage_weights, "model-altered"),
        (_add_file, "model-altered"),
        (_link_package, "path-outside"),
        (_remove_replay, "load-failed"),
        (_spoil_outputs, "non-finite-output"),
        (_truncate_inputs, "bad-job"),
    ],
)
def test_damaged_files(phone: Phone, damage: Callable[[Phone], None], code: str) -> None:
    damage(phone)
    found, message = phone.failure()
    assert found == code, message


def test_texts_that_are_no_job(phone: Phone) -> None:
    for text in ("", "{", "[]", '{"job_version": 4}', '{"job_version": "4"}'):
        result = documents.parse(AgentResult, phone.start(text), source="result", error=ResultError)
        assert result.failure is not None and result.failure.code == "bad-job"


@pytest.fixture(scope="module")
def bundle(nano_exports: dict[tuple[str, str, str], Any], pocketclip: Any, tmp_path_factory: Any) -> OpenedBundle:
    folder = tmp_path_factory.mktemp("bundle") / "clip.bundle"
    made = pocketclip(
        "bundle", "--image", nano_exports["coreml", "fp16", "image"].folder,
        "--text", nano_exports["coreml", "int8-weights", "text"].folder,
        "--labels", "a red circle,a blue square,a green triangle", "--out", folder,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return read_bundle(folder)


def _write_replays(bundle: OpenedBundle, folder: Path) -> None:
    """Outputs of the reference executor for everything that a self-test asks of either tower."""
    manifest = bundle.manifest
    tokenizer = BundleTokenizer(manifest.tokenizer, bundle.folder)
    assert manifest.labels is not None
    templates = StoredTemplates(manifest.templates)
    prompts = [tokenizer(text) for label in manifest.labels.names[:2] for text in templates.prompts(label)]
    end = manifest.end_to_end
    for tower, asked in (
        (manifest.image, [*bundle.tensor(end.preprocessed)[:, None]]),
        (manifest.text, [*bundle.tensor(end.token_ids)[:, None], *prompts]),
    ):
        inputs = [*bundle.tensor(tower.golden.inputs)[:, None], *asked]
        replay_model(bundle, tower, inputs, folder)


def test_a_bundle_of_packages_passes_its_self_test(
    swift_build: SwiftBuild, bundle: OpenedBundle, tmp_path: Path
) -> None:
    """Reading, preprocessing, tokenising and ranking are Swift's; the models' outputs the reference executor's."""
    _write_replays(bundle, tmp_path)
    arguments = ["--selftest", "/mnt/bundle", "--replays", "/mnt/replays"]
    mounts = {bundle.folder: "/mnt/bundle", tmp_path: "/mnt/replays"}
    ran = swift_build.bench(*arguments, mounts=mounts)
    report = json.loads(ran.stdout)
    assert report["passed"], [check for check in report["checks"] if not check["passed"]]
    assert ran.returncode == 0
    ours = self_test(bundle)
    assert report["bundle_sha256"] == ours.bundle_sha256
    assert [(check["part"], check["name"], check["samples"]) for check in report["checks"]] == [
        (check.part, check.name, check.samples) for check in ours.checks
    ]
    by_name = {check["name"]: check["value"] for check in report["checks"]}
    # The resized pixels are Pillow's to the bit; else nothing would have been recorded for them either.
    assert by_name["preprocessing, steps of 8 bits"] == 0
    assert by_name["sentences with other ids"] == 0


def test_a_damaged_bundle_is_refused_in_words(swift_build: SwiftBuild, bundle: OpenedBundle, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle.folder, tmp_path / "clip.bundle")
    (copy / "tokenizer/merges.bin").write_bytes(b"")
    ran = swift_build.bench("--selftest", "/mnt/bundle", mounts={copy: "/mnt/bundle"})
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: tokenizer/merges.bin has 0 bytes")
    assert "Fatal" not in ran.stderr
