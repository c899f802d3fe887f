"""Lint on files that nobody here wrote: all of a file is looked at, or what was not is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.export.foreign import small_models

CASE = Path(__file__).parents[2] / "cases" / "lint-says-nothing-found"


@pytest.fixture
def linted(pocketclip) -> Callable[[Path, int], dict[str, Any]]:
    """The only entry of `lint --json` for a file that is left with an exit code."""

    def run(path: Path, code: int) -> dict[str, Any]:
        result = pocketclip("lint", path, "--json")
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
        (entry,) = json.loads(result.stdout)
        return {**entry, "codes": [finding["code"] for finding in entry["findings"]]}

    return run


def test_case_empty_file(pocketclip, error_line) -> None:
    result = pocketclip("lint", CASE / "empty.onnx")
    assert result.returncode == 2
    assert "cannot be read: it holds no ONNX graph" in error_line(result)
    assert "again" not in result.stderr
    assert result.stdout == ""


def test_case_without_shape(linted) -> None:
    entry = linted(CASE / "norank.onnx", 0)
    assert entry["codes"] == ["PC006"]
    assert "x: float32 of any shape" in entry["findings"][0]["message"]


def test_case_two_signatures(linted) -> None:
    entry = linted(CASE / "two.tflite", 0)
    assert entry["looked_at"] == ["image", "text"]
    assert entry["not_looked_at"] == ["which ops the XNNPACK delegate takes in text: LiteRT tells of image alone"]


def test_case_weights_inside_a_branch(linted) -> None:
    from pocketclip.export.lint.readers import read_graph

    entry = linted(CASE / "if.onnx", 0)
    assert entry["looked_at"] == ["If y else_branch", "If y then_branch"]
    (weight,) = read_graph(CASE / "if.onnx").weights
    assert (weight.name, weight.size_bytes) == ("If y then_branch: w2", 64 * 64 * 4)


@pytest.mark.slow
def test_case_functions_of_a_package(linted) -> None:
    from pocketclip.export.lint.readers import read_graph

    entry = linted(CASE / "multi.mlpackage", 1)
    assert entry["looked_at"] == ["image", "text"]
    # The palettes are in the function that does not run by default.
    graph = read_graph(CASE / "multi.mlpackage")
    assert {op.part for op in graph.ops} == {"image", "text"}
    assert any(weight.dtype == "uint4" for weight in graph.weights)


def test_weights_in_files_beside(linted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pocketclip.export import foreign
    from pocketclip.export.api.files import lint_all

    model = small_models.weights_beside(tmp_path / "m.onnx", data_bytes=1_600_000_000)
    entry = linted(model, 1)
    assert entry["codes"] == ["PC011", "PC011", "PC011", "PC012"]
    assert entry["findings"][0]["message"].startswith("1600 MB")

    bounds: list[int] = []
    bounds_of = foreign.reading_bounds
    monkeypatch.setattr(
        foreign, "reading_bounds", lambda files: bounds.append(bounds_of(files).memory_bytes) or bounds_of(files)
    )
    lint_all(model)
    assert max(bounds) - min(bounds) == 8 * 1_600_000_000


@pytest.mark.parametrize("location", ["../m.data", "link.data", "none.data", "/dev/zero", ""])
def test_weights_that_lie_elsewhere(pocketclip, error_line, tmp_path: Path, location: str) -> None:
    (tmp_path / "m.data").write_bytes(bytes(64))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link.data").symlink_to(tmp_path / "m.data")
    model = small_models.weights_beside(tmp_path / "folder" / "m.onnx", location=location)
    result = pocketclip("lint", model)
    assert result.returncode == 2
    assert "m.onnx cannot be read" in error_line(result)


def test_branches(linted, tmp_path: Path) -> None:
    entry = linted(small_models.branches(tmp_path / "m.onnx"), 1)
    assert entry["codes"] == ["PC005"]
    assert entry["findings"][0]["where"] == "If choice then_branch: mask"


def test_loops_and_local_functions(tmp_path: Path) -> None:
    from pocketclip.export.lint.graph import OpKind
    from pocketclip.export.lint.readers import read_graph
    from pocketclip.export.lint.run import lint_file

    graph = read_graph(small_models.loop(tmp_path / "loop.onnx"))
    assert [op.kind for op in graph.ops if op.name == "MatMul"] == [OpKind.LINEAR]
    # The body's product is found from the graph's output backwards, and leads to its input.
    assert {op.name for op in graph.before("y", 4)} >= {"Loop", "MatMul"}
    _, findings = lint_file(small_models.local_function(tmp_path / "function.onnx"))
    assert [finding.code for finding in findings] == ["PC002"]
    endless = read_graph(small_models.local_function(tmp_path / "endless.onnx", endless=True))
    assert endless.unseen == ("1 local functions (Own): they call themselves",)


def test_open_sizes_as_paddle_writes_them(tmp_path: Path) -> None:
    from pocketclip.export.lint.run import lint_file

    _, (finding,) = lint_file(small_models.open_sizes(tmp_path / "m.onnx"))
    assert (finding.code, "x: float32 [?, 3, 8, 8]" in finding.message) == ("PC006", True)


def test_a_scalar_is_no_open_shape(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    from pocketclip.export.lint.run import lint_file

    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    scalar = [("x", TensorProto.FLOAT, [])], [("y", TensorProto.FLOAT, [])]
    _, findings = lint_file(small_models.save_onnx(tmp_path / "m.onnx", nodes, *scalar))
    assert findings == ()


def test_a_mask_that_nothing_reads(tmp_path: Path) -> None:
    from pocketclip.export.lint.run import lint_file

    _, findings = lint_file(small_models.unread_mask(tmp_path / "m.onnx"))
    assert findings == ()


def test_unknown_custom_op(linted, tmp_path: Path) -> None:
    """Its flatbuffer is read, though LiteRT here refuses the file."""
    entry = linted(small_models.custom_op(tmp_path / "m.tflite", mask=True), 1)
    assert entry["codes"] == ["PC005"]
    refused, custom = entry["not_looked_at"]
    assert "unresolved custom op: Landmarks2TransformMatrix" in refused
    assert custom == "what custom ops compute: Landmarks2TransformMatrix"


def test_custom_ops_in_branches_are_not_passed_over(tmp_path: Path) -> None:
    """An `If` within an `If`: what nobody can know about its innermost op is said."""
    from onnx import TensorProto, helper

    from pocketclip.export.lint.readers import read_graph

    def branch(name: str, *nodes: Any) -> Any:
        return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    def choice(output: str, then: Any, other: Any) -> Any:
        return helper.make_node("If", ["c"], [output], then_branch=then, else_branch=other)

    custom = branch("a", helper.make_node("Mystery", ["x"], ["a"], domain="acme"))
    plain = branch("b", helper.make_node("Relu", ["x"], ["b"]))
    known = branch("d", helper.make_node("FusedMatMul", ["x", "x"], ["d"], domain="com.microsoft"))
    inner = branch("e", choice("e", custom, plain))
    graph = helper.make_graph(
        [choice("y", inner, known)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
         helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
    )  # fmt: skip
    opsets = [helper.make_opsetid(domain, version) for domain, version in (("", 17), ("acme", 1), ("com.microsoft", 1))]
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    found = read_graph(path)
    assert "If y then_branch: If e then_branch" in found.inner
    assert [line for line in found.unseen if "custom" in line] == ["what custom ops compute: acme.Mystery"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1\nsize 9\n", "it is a Git LFS pointer to a file of 9 b"),
        ("m.tflite", b"<!doctype html><html>", "it is a web page"),
        ("m.onnx", b"\x20\0\0\0TFL3" + bytes(30), "it is a LiteRT model, not a .onnx file; name it .tflite"),
        ("m.tflite", b"\x20\0\0\0ET12" + bytes(30), "it is an ExecuTorch program, not a .tflite file; name it .pte"),
        ("m.pte", b"PK\x03\x04" + bytes(30), "it is a zip archive, not a .pte file; unpack it"),
        ("m.pte", b"", "it is empty"),
        ("m.pte", b"something else", "it is not an ExecuTorch program"),
    ],
)
def test_what_is_another_file(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    from pocketclip.export.errors import ArtifactCorruptError
    from pocketclip.export.lint.readers import read_graph

    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactCorruptError) as caught:
        read_graph(tmp_path / name)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("w.safetensors", "a checkpoint is checked with its model: pocketclip lint MODEL --weights"),
        ("m.ort", "give the .onnx that it was made from"),
        ("m.mlmodel", "convert it to an .mlpackage"),
        ("m.gguf", "known suffixes: .onnx, .mlpackage, .aimodel, .pte, .tflite"),
        ("m.mlmodelc/", "it is compiled; give the .mlpackage"),
    ],
)
def test_files_that_no_rule_knows(tmp_path: Path, name: str, complaint: str) -> None:
    """Not "there is no model": the file is there."""
    import pocketclip
    from pocketclip.export.errors import ArtifactError

    path = tmp_path / name
    path.mkdir() if name.endswith("/") else path.write_bytes(b"x")
    with pytest.raises(ArtifactError, match="is not a model file that can be linted") as caught:
        pocketclip.lint(path)
    assert complaint in str(caught.value)


def test_names_that_steer_a_terminal(pocketclip, tmp_path: Path) -> None:
    path = small_models.hostile_names(tmp_path / "m.onnx")
    plain, structured = pocketclip("lint", path), pocketclip("lint", path, "--json")
    assert plain.returncode == structured.returncode == 1
    for text in (plain.stdout, structured.stdout):
        assert all(character.isprintable() or character == "\n" for character in text)
    # The line that the name tries to write is part of another one.
    assert not any(line.lstrip().startswith("error PC999") for line in plain.stdout.splitlines())


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "pte"])
@pytest.mark.parametrize("content", [b"", b"words", bytes(4096), b"\xff" * 4096])
def test_what_is_no_model(suffix: str, content: bytes, tmp_path: Path) -> None:
    from pocketclip.export.errors import ArtifactCorruptError
    from pocketclip.export.lint.readers import read_graph

    path = tmp_path / f"m.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match="cannot be read") as caught:
        read_graph(path)
    assert "again" not in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_file(pocketclip, error_line, tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "m.onnx")
    (tmp_path / "n.onnx").mkdir()
    (tmp_path / "m.mlpackage").write_bytes(b"")
    for name, kind in (("m.onnx", "regular file"), ("n.onnx", "regular file"), ("m.mlpackage", "folder")):
        result = pocketclip("lint", tmp_path / name, timeout=60)
        assert result.returncode == 2
        assert f"is not a {kind}" in error_line(result)
