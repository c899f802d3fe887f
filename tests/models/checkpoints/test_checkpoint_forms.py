"""Checkpoints as trainers, converters and downloads leave them: loaded where it is certain what is meant, else named.

`tests/cases/checkpoint-forms` holds small files of users' reports.
"""

from __future__ import annotations

import gzip
import json
import math
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from pocketclip.models import create_model
from pocketclip.models.checkpoints import checkpoint
from pocketclip.models.checkpoints.checkpoint import weights_sha256
from pocketclip.models.errors import CheckpointError, NonFiniteError
from pocketclip.models.registry import load_config, new_model
from pocketclip.models.towers.clip import ClipModel

CASES = Path(__file__).parents[2] / "cases" / "checkpoint-forms"
State = dict[str, Tensor]
EMBEDDING = "text_encoder.embedding_layer.weight"


@pytest.fixture(scope="module")
def model() -> ClipModel:
    torch.manual_seed(7)
    model = new_model(load_config("pocketclip_nano"))
    assert isinstance(model, ClipModel)
    return model


@pytest.fixture
def state(model: ClipModel) -> State:
    return dict(model.state_dict())


@pytest.fixture(autouse=True)
def forget_notes() -> None:
    checkpoint._say.cache_clear()


def below(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


def floats(state: State, change: Callable[[Tensor], Tensor]) -> State:
    return {key: change(value) if value.is_floating_point() else value for key, value in state.items()}


FORMS: dict[str, tuple[Callable[[State], Any], str]] = {
    "module.": (lambda s: below("module.", s), "took 'module.' off the names"),
    "_orig_mod.": (lambda s: below("_orig_mod.", s), "took '_orig_mod.' off the names"),
    "both": (lambda s: below("module._orig_mod.", s), "took 'module._orig_mod.' off the names"),
    "ema.": (lambda s: below("ema.", s), "took 'ema.' off the names"),
    "part compiled": (
        lambda s: {key.replace("_encoder.", "_encoder._orig_mod.", 1): value for key, value in s.items()},
        "took '_orig_mod.' out of the names",
    ),
    "parts of FSDP": (
        lambda s: below("module.", {key.replace(".model.", "._fsdp_wrapped_module.model."): s[key] for key in s}),
        "took 'module.' off the names; took '_fsdp_wrapped_module.' out of the names",
    ),
    "averaged": (lambda s: {"n_averaged": torch.tensor(3), **below("module.", s)}, "took 'module.' off"),
    "lightning": (
        lambda s: {"state_dict": below("model.", s), "pytorch-lightning_version": "2.0", "callbacks": {}},
        "used the weights below 'state_dict'; took 'model.' off the names",
    ),
    "model": (lambda s: {"model": s, "epoch": 1}, "used the weights below 'model'"),
    "model_ema": (lambda s: {"model_ema": s}, "used the weights below 'model_ema'"),
    "nested": (lambda s: {"model": {"state_dict": s}}, "used the weights below 'model.state_dict'"),
    "optimizer": (
        lambda s: {"state_dict": s, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []}},
        "used the weights below 'state_dict'",
    ),
    "equal average": (lambda s: {"model": s, "ema": {k: v.clone() for k, v in s.items()}}, "below 'model'"),
    "extra": (lambda s: {**s, "epoch": 3}, ""),
    "parameters": (lambda s: floats(s, nn.Parameter), ""),
    "list of one": (lambda s: {k: v.reshape(1) if k == "logit_scale" else v for k, v in s.items()}, ""),
    "no batch counts": (
        lambda s: {k: v for k, v in s.items() if "num_batches_tracked" not in k},
        "num_batches_tracked, which inference does not use, are missing",
    ),
    "double": (lambda s: floats(s, Tensor.double), ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_certain_forms_load(
    model: ClipModel, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    wrap, said = FORMS[form]
    torch.save(wrap(state), tmp_path / "w.pt")
    with caplog.at_level("INFO", "pocketclip"):
        loaded = create_model("pocketclip_nano", tmp_path / "w.pt")
    assert weights_sha256(loaded) == weights_sha256(model)
    assert caplog.text.count("note: ") == (1 if said else 0)
    assert said in caplog.text


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_fp8_loads_as_float32(state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str) -> None:
    small = floats(state, lambda value: value.to(torch.float8_e4m3fn))
    (save_file if suffix == "safetensors" else torch.save)(small, tmp_path / f"fp8.{suffix}")
    with caplog.at_level("INFO", "pocketclip"):
        loaded = create_model("pocketclip_nano", tmp_path / f"fp8.{suffix}").state_dict()
    for key, value in small.items():
        wanted = value.to(torch.float32) if value.is_floating_point() else value
        assert loaded[key].dtype == wanted.dtype and torch.equal(loaded[key], wanted), key
    assert "widened float8_e4m3fn to float32" in caplog.text


def test_files_are_told_by_their_content(model: ClipModel, state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "real.bin")
    torch.save(state, tmp_path / "real_pt.safetensors")
    torch.save(state, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    for name in ("real.bin", "real_pt.safetensors", "legacy.pth"):
        assert weights_sha256(create_model("pocketclip_nano", tmp_path / name)) == weights_sha256(model), name


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_checkpoint_in_parts(model: ClipModel, state: State, tmp_path: Path, kind: str) -> None:
    index = write_parts(state, tmp_path, kind)
    for source in (index, tmp_path):
        assert weights_sha256(create_model("pocketclip_nano", source)) == weights_sha256(model)
    with pytest.raises(CheckpointError, match=r"it is one part of a split checkpoint: give its \*\.index\.json"):
        create_model("pocketclip_nano", tmp_path / f"model-00001-of-00002.{kind}")
    with pytest.raises(CheckpointError, match="a hash of an index does not cover"):
        create_model("pocketclip_nano", f"{index}#sha256={'0' * 64}")
    (tmp_path / f"model-00002-of-00002.{kind}").unlink()
    with pytest.raises(CheckpointError, match=r"lacks its part model-00002-of-00002"):
        create_model("pocketclip_nano", index)


def write_parts(state: State, folder: Path, kind: str) -> Path:
    keys = list(state)
    placed: dict[str, str] = {}
    for number, part in ((1, keys[:200]), (2, keys[200:])):
        file = f"model-0000{number}-of-00002.{kind}"
        (save_file if kind == "safetensors" else torch.save)({key: state[key] for key in part}, folder / file)
        placed |= dict.fromkeys(part, file)
    index = folder / f"model.{kind}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return index


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"weight_map": {"a": "../secret.safetensors"}}, "must be a plain name"),
        ({"weight_map": {"a": "/etc/passwd"}}, "must be a plain name"),
        ({"weight_map": {"a": "sub/part.safetensors"}}, "must be a plain name"),
        ({"weight_map": {"a": "missing.safetensors"}}, "lacks its part missing.safetensors"),
        ({"weight_map": {str(n): f"{n}.bin" for n in range(1001)}}, "names 1001 files; at most 1000"),
        ({"weight_map": {"a": 3}}, "its weight_map must name a file for each tensor"),
        ({}, "its weight_map must name a file for each tensor"),
        ("[" * 2000 + "]" * 2000, "is nested deeper"),
    ],
)
def test_bad_indexes(tmp_path: Path, content: object, complaint: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(CheckpointError, match=complaint):
        create_model("pocketclip_nano", index)


def test_index_whose_part_is_missing(state: State, tmp_path: Path) -> None:
    index = write_parts(state, tmp_path, "safetensors")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks its part model-00002-of-00002\.safetensors; fetch all files"):
        create_model("pocketclip_nano", index)


def test_index_and_parts_that_do_not_belong_together(state: State, tmp_path: Path) -> None:
    index = write_parts(state, tmp_path, "safetensors")
    save_file({"other": torch.zeros(1)}, tmp_path / "model-00001-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="do not belong together: they list different tensors"):
        create_model("pocketclip_nano", index)


@pytest.mark.parametrize(
    ("wrap", "complaint"),
    [
        (
            lambda s: {"state_dict": s, "state_dict_ema": floats(s, torch.zeros_like)},
            r"several sets of weights: 'state_dict', 'state_dict_ema'; save the one that you want: "
            r"torch.save\(torch.load\(FILE, weights_only=True\)\['state_dict_ema'\], 'weights.pt'\)",
        ),
        (
            lambda s: below("model.", s) | below("ema_model.", floats(s, torch.zeros_like)),
            "several sets of weights: 'model', 'ema_model'",
        ),
        (
            lambda s: below("model.", s) | {"loss.a": torch.ones(1)},
            r"below 'model.', and 1 unknown keys \(loss.a\)",
        ),
        (
            lambda s: {"model": below("module.", {k: v for k, v in s.items() if k != "logit_scale"})},
            r"below 'model', without 'module.' before the names, 1 missing keys \(logit_scale\)",
        ),
        (
            lambda s: s | {EMBEDDING: s[EMBEDDING].to(torch.int8)},
            f"{EMBEDDING}.*: of type int8 where the model has float32",
        ),
        (lambda s: s | {EMBEDDING: s[EMBEDDING].to(torch.complex64)}, f"{EMBEDDING}.*: of type complex64"),
        (lambda s: s | {EMBEDDING: s[EMBEDDING].to_sparse()}, f"{EMBEDDING}.*: not a plain tensor .*sparse_coo"),
        (lambda s: s | {EMBEDDING: s[EMBEDDING] > 0}, f"{EMBEDDING}.*: of type bool"),
        (lambda s: s | {EMBEDDING: torch.zeros(1).expand(1 << 40, 64)}, "the model has"),
        (lambda s: {"epoch": 3}, "it holds no state dict"),
        (lambda s: [1, 2], "it holds no state dict"),
    ],
)
def test_uncertain_and_unusable_forms_are_named(state: State, tmp_path: Path, wrap: Any, complaint: str) -> None:
    torch.save(wrap(state), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=complaint):
        create_model("pocketclip_nano", tmp_path / "w.pt")


def test_what_is_infinite_as_float32_is_named(state: State, tmp_path: Path) -> None:
    large = state | {EMBEDDING: torch.full(state[EMBEDDING].shape, 1e300, dtype=torch.float64)}
    torch.save(large, tmp_path / "w.pt")
    with pytest.raises(NonFiniteError, match=EMBEDDING):
        create_model("pocketclip_nano", tmp_path / "w.pt")


def page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><head><title>Sign in</title></head></html>")


def cut(path: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 7)


def lying_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 60) + b'{"a":')


def other_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("half.pt", b"x")


def bomb(path: Path) -> None:
    torch.save({"a": torch.zeros(60_000_000)}, path.with_suffix(".plain"))
    with (
        zipfile.ZipFile(path.with_suffix(".plain")) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    path.with_suffix(".plain").unlink()


def whole_module(path: Path) -> None:
    torch.save(nn.Linear(2, 2), path)


def arrays(path: Path) -> None:
    torch.save({"a": torch.zeros(2).numpy()}, path)


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (page, "it is a web page, not the file itself"),
        (cut, "an incomplete or damaged safetensors file"),
        (lying_header, "an incomplete safetensors file"),
        (other_archive, r"it is a zip archive, not a file of tensors \(first member: half.pt\)"),
        (bomb, r"its [\d,]+ bytes unpack to 240,\d+,\d+, which is implausible for weights"),
        (whole_module, r"more than tensors and plain values \(first: torch.nn.modules.linear.Linear\)"),
        (arrays, r"more than tensors and plain values \(first: numpy"),
        (lambda path: path.write_bytes(b"\x80\x02not a pickle"), "incomplete, or holds more than tensors"),
        (lambda path: path.write_bytes(bytes(32) + b"PK\x03\x04rest"), "a training run's own checkpoint"),
        (lambda path: path.mkdir(), "holds no checkpoint; its name would end with .safetensors"),
        (lambda path: path.write_bytes(b"GGUF" + bytes(60)), "it is a GGUF file of quantised weights; give a safetens"),
        (lambda path: path.write_bytes(gzip.compress(bytes(60))), "it is compressed with gzip: unpack it"),
        (lambda path: path.write_bytes(bytes(4) + b"TFL3" + bytes(60)), "it is a LiteRT model, not a checkpoint"),
        (lambda path: path.write_bytes(b"\x30\0\0\0ET12eh00" + bytes(60)), "it is an ExecuTorch program, not a che"),
        (
            lambda path: path.write_bytes(b"\x08\x09\x12\x07pytorch\x1a\x0c2.13.0"),
            "it is an ONNX model, not a checkpoint",
        ),
        (lambda path: path.write_text('{"weights": "elsewhere"}'), "it is JSON, not a file of tensors"),
        (lambda path: path.write_text("see caf\u00e9"), "it is text, not a file of tensors"),
    ],
)
@pytest.mark.parametrize("name", ["pocketclip_nano", "open_clip:ViT-B-32"])
def test_unreadable_files_are_named_alike(
    tmp_path: Path, write: Callable[[Path], object], complaint: str, name: str
) -> None:
    write(tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=complaint) as caught:
        create_model(name, tmp_path / "w.pt")
    assert "weights_only=False" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (
            "lfs.pt",
            "it is a Git LFS pointer to a file of 5,064,724 bytes, not the file itself; fetch the file with `git lfs",
        ),
        ("lfs.safetensors", "it is a Git LFS pointer"),
        ("script.pt", "it is TorchScript, a program with its weights"),
    ],
)
@pytest.mark.parametrize("name", ["pocketclip_nano", "open_clip:ViT-B-32"])
def test_reported_files(file: str, complaint: str, name: str) -> None:
    with pytest.raises(CheckpointError, match=complaint) as caught:
        create_model(name, CASES / file)
    assert "weights_only" not in str(caught.value)


@pytest.mark.slow
def test_reported_files_from_outside(pocketclip: Any, error_line: Any, state: State, tmp_path: Path) -> None:
    """One line, exit code 2, no warning of torch's, nothing written."""
    save_file({key: value.to(torch.int8) for key, value in state.items()}, tmp_path / "int8.safetensors")
    for file, said in ((CASES / "script.pt", "TorchScript"), (tmp_path / "int8.safetensors", "of type int8")):
        result = pocketclip(
            "export", "--target", "onnx", "--tower", "text", "--weights", file, "--out", tmp_path / "out"
        )
        assert result.returncode == 2
        assert said in error_line(result)
        assert len(result.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()


def test_scale_is_what_was_saved(state: State, tmp_path: Path) -> None:
    torch.save({"module": state | {"logit_scale": torch.tensor(2.0)}}, tmp_path / "w.pt")
    assert create_model("pocketclip_nano", tmp_path / "w.pt").scale().item() == pytest.approx(math.exp(2.0))
