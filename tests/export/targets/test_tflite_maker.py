"""Towers for other makers' NPUs: what LiteRT's compiler is asked for and says, with stand-ins for what makers give."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ai_edge_litert
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pocketclip.export.artifact.reading import load_artifact
from pocketclip.export.errors import ConversionError
from pocketclip.export.npu import litert_compiler, maker_sdks
from pocketclip.export.npu.litert_compiler import compile_for
from pocketclip.export.npu.makers import MAKERS
from pocketclip.export.npu.npu_report import read_report
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets import load_target, open_session, probe
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.models.errors import NonFiniteError
from tests.export.targets.stand_in_sdks import TAKEN, StandInCompiler, install_sdk, write_compiler

HERE = sys.platform == "linux" and platform.machine() == "x86_64" and probe(TargetName.TFLITE).available
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HERE, reason="LiteRT and its compilers are not here: they are for Linux on x86-64"),
]
WHOLE = TAKEN.format(taken=4, total=4, pieces=1)


class Small(nn.Module):
    """A look-up in a table and a product; `scale` makes it large."""

    def __init__(self, scale: float = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.linear = nn.Embedding(16, 8), nn.Linear(8, 8)
        with torch.no_grad():
            self.linear.weight *= scale

    def forward(self, token_ids: Tensor) -> Tensor:
        return self.linear(self.table(token_ids))


def request(*, scale: float = 1, socs: tuple[str, ...] = ()) -> LoweringRequest:
    example = torch.arange(8, dtype=torch.int32)[None]
    module = Small(scale).eval()
    return LoweringRequest(
        module, example, "token_ids", "embedding", Precision.FP16, (), socs=socs, samples=[example.numpy()]
    )


class Place:
    """Where stand-ins are installed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        self.site = folder / "site"
        self.site.mkdir()
        monkeypatch.syspath_prepend(self.site)
        for maker in MAKERS.values():
            monkeypatch.delitem(sys.modules, maker.module, raising=False)

    def compiler(self, said: str, *, code: int = 0) -> StandInCompiler:
        made = write_compiler(self.folder, said, code=code)
        self._monkeypatch.setattr(litert_compiler, "PROGRAM", made.program)
        return made


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`Small` as LiteRT runs it, with a table whose look-up and linear layer are ops of their own."""
    import litert_torch

    path = tmp_path_factory.mktemp("portable") / "model.tflite"
    asked = request()
    litert_torch.convert(asked.module, sample_kwargs={"token_ids": asked.example}).export(str(path))
    return path


@pytest.mark.parametrize(
    ("target", "chips", "models", "flags"),
    [
        (TargetName.TFLITE_MEDIATEK, ("MT6991", "MT6993"), ("mt6991", "mt6993"), (None, "version9")),
        (TargetName.TFLITE_GOOGLE, ("Tensor_G5",), ("Tensor_G5",), (None,)),
        (TargetName.TFLITE_SAMSUNG, (), ("E9965",), (None,)),
    ],
)
def test_a_file_is_compiled_for_each_chip(
    target: TargetName,
    chips: tuple[str, ...],
    models: tuple[str, ...],
    flags: tuple[str | None, ...],
    place: Place,
    tmp_path: Path,
) -> None:
    maker = MAKERS[target]
    libraries = install_sdk(place.site, maker)
    compiler = place.compiler(WHOLE)
    folder = tmp_path / "out"
    folder.mkdir()
    assert load_target(target).lower(request(socs=chips), folder) == "model.tflite"
    report = read_report(folder)
    assert (report.package, report.sdk) == (f"{maker.package} 2.3.0", "2.3.0")
    assert [context.soc for context in report.contexts] == list(chips or maker.defaults)
    for context in report.contexts:
        assert context.file == f"contexts/{context.soc.lower()}.tflite"
        assert (folder / context.file).stat().st_size == context.size_bytes
        assert (context.graphs, context.on_cpu) == (1, 0)
    info, *calls = compiler.calls
    assert info["cmd"] == "info"
    assert [call["soc_model"] for call in calls] == list(models)
    assert [call.get("mediatek_sdk_version_type") for call in calls] == list(flags)
    for call in calls:
        assert (call["cmd"], call["soc_manufacturer"]) == ("apply", maker.name)
        assert Path(call["libs"]).name == "compiler" and Path(call["libs"]).parent.name == maker.plugin
        assert call["LD_LIBRARY_PATH"].split(os.pathsep)[0] == str(libraries)
        # What plug-ins leave behind lies in a folder that goes away.
        assert not Path(call["cwd"]).exists()
    session = load_target(target).open(folder / "model.tflite", 1)
    asked = request()
    expected = asked.module(asked.example).detach().numpy()
    np.testing.assert_allclose(session.run([asked.example.numpy()])[0], expected, atol=2e-3)
    session.close()
    executed_by = load_target(target).executed_by()
    assert executed_by.startswith("ai-edge-litert ")
    assert executed_by.endswith(f", the portable file; for {maker.name}'s NPU compiled, not executed")


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            TAKEN.format(taken=1, total=4, pieces=1),
            0,
            r"the NPU of Tensor_G5 takes 1 pieces of it and leaves 3 of 4 ops to the CPU: .*EMBEDDING_LOOKUP \(.*"
            r"FULLY_CONNECTED \(.*; export another precision",
        ),
        (TAKEN.format(taken=4, total=4, pieces=2), 0, "takes 2 pieces of it and leaves 0 of 4 ops to the CPU: none"),
        (
            "INFO: x\nERROR: [adapter_aot.cc:78] Failed to load it\n",
            3,
            r"the NPU of Tensor_G5 \(Google Tensor G5\) does not take it: Failed to load it",
        ),
        ("WARNING: none", 7, "does not take it: the compiler ended with code 7"),
        ("Partitioned subgraph<0>, selected some ops", 0, "does not take it: the compiler ended with code 0"),
        (WHOLE + "\n\x1b[2JERROR: no", 0, None),
    ],
)
def test_what_the_compiler_says(
    said: str, code: int, words: str | None, place: Place, portable: Path, tmp_path: Path
) -> None:
    maker = MAKERS[TargetName.TFLITE_GOOGLE]
    install_sdk(place.site, maker)
    place.compiler(said, code=code)
    chip = maker.chips["Tensor_G5"]

    def compiled() -> int:
        (context,) = compile_for([(chip, maker_sdks.plugin_for(maker, chip))], portable, tmp_path)
        assert context.file == "contexts/tensor_g5.tflite"
        return context.graphs

    if words is None:
        assert compiled() == 1
    else:
        with pytest.raises(ConversionError, match=words):
            compiled()


def test_the_table_of_tokens_may_stay_on_the_cpu_where_no_plug_in_takes_one(
    place: Place, portable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [("EMBEDDING_LOOKUP", "tokens")]
    monkeypatch.setattr(litert_compiler, "_left_ops", lambda path: left)
    place.compiler(TAKEN.format(taken=9, total=10, pieces=2))
    for target, taken in ((TargetName.TFLITE_MEDIATEK, True), (TargetName.TFLITE_SAMSUNG, False)):
        maker = MAKERS[target]
        install_sdk(place.site, maker)
        chip = maker.chips[maker.defaults[0]]
        chips = [(chip, maker_sdks.plugin_for(maker, chip))]
        if taken:
            (context,) = compile_for(chips, portable, tmp_path)
            assert (context.graphs, context.on_cpu) == (2, 1)
        else:
            with pytest.raises(ConversionError, match=r"EMBEDDING_LOOKUP \(tokens\)"):
                compile_for(chips, portable, tmp_path)
    left.append(("EQUAL", "end"))
    maker = MAKERS[TargetName.TFLITE_MEDIATEK]
    chip = maker.chips["MT6991"]
    with pytest.raises(ConversionError, match=r"EQUAL \(end\)"):
        compile_for([(chip, maker_sdks.plugin_for(maker, chip))], portable, tmp_path)


def test_half_floats_that_overflow_are_refused(place: Place, tmp_path: Path) -> None:
    install_sdk(place.site, MAKERS[TargetName.TFLITE_GOOGLE])
    place.compiler(WHOLE)
    with pytest.raises(NonFiniteError, match="half floats end at 65,504"):
        load_target(TargetName.TFLITE_GOOGLE).lower(request(scale=1e7), tmp_path)


# What MediaTek's plug-in asks of its library: here it takes every op, and the compiled network is empty.
ADAPTER = """
#include <stdint.h>
#include <string.h>
static char object[64];
int Neuron_getVersion(unsigned char* version) { version[0] = 8; version[1] = version[2] = 0; return 0; }
int NeuronModel_create(void** model) { *model = object; return 0; }
int NeuronCompilation_create(void* model, void** made) { *made = object; return 0; }
int NeuronCompilation_createWithOptions(void* model, void** made, const char* options) { *made = object; return 0; }
int NeuronCompilation_getSupportedOperations(void* made, char* taken, uint32_t count) {
  memset(taken, 1, count);
  return 0;
}
"""


def write_adapter(folder: Path) -> None:
    """A library with all functions that the plug-in looks up by name."""
    plugin = Path(str(ai_edge_litert.__file__)).parent / "vendors/mediatek/compiler/libLiteRtCompilerPlugin_MediaTek.so"
    names = {name.decode() for name in re.findall(rb"(?<=\0)Neuron[A-Za-z]*_[A-Za-z0-9]+(?=\0)", plugin.read_bytes())}
    rest = (f"int {name}(void) {{ return 0; }}\n" for name in sorted(names) if f"{name}(" not in ADAPTER)
    source = folder / "adapter.c"
    source.write_text(ADAPTER + "".join(rest))
    library = folder / "libneuronusdk_adapter.mtk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler for C")
def test_litert_compiles_both_towers_for_mediatek(
    pocketclip, error_line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT's own compiler and plug-in, as a user calls them; MediaTek's library alone is a stand-in."""
    site = tmp_path / "site"
    write_adapter(install_sdk(site, MAKERS[TargetName.TFLITE_MEDIATEK]))
    before = os.environ.get("PYTHONPATH", "")
    with monkeypatch.context() as with_sdk:
        with_sdk.setenv("PYTHONPATH", os.pathsep.join((str(site), before)) if before else str(site))
        made = pocketclip(
            *("export", "--target", "tflite-mediatek", "--soc", "dimensity-9400", "--out", tmp_path / "artifacts"),
            timeout=600,
        )
        assert made.returncode == 0, made.stderr
        assert made.stdout.count("passed") == 2
    scheme = tmp_path / "artifacts" / "pocketclip_nano" / "tflite-mediatek-fp16"
    found = {tower: read_report(scheme / tower).contexts for tower in ("image", "text")}
    assert [(context.soc, context.graphs, context.on_cpu) for context in found["image"]] == [("MT6991", 1, 0)]
    # The ids in the form that the look-up takes, and the tower behind it; the NPU does not hand the table over.
    assert [(context.soc, context.graphs, context.on_cpu) for context in found["text"]] == [("MT6991", 2, 1)]
    table_bytes = load_artifact(scheme / "text").manifest.model.embedding_dim * 4 * 3666
    assert found["image"][0].size_bytes < 10_000 < table_bytes < found["text"][0].size_bytes
    artifact = load_artifact(scheme / "image")
    manifest = artifact.manifest
    assert manifest.parity is not None and manifest.parity.samples == 267
    assert manifest.parity.executed_by.endswith("compiled, not executed")
    assert manifest.versions["ai-edge-litert-sdk-mediatek"] == "2.3.0"
    # What follows needs no SDK.
    session = open_session(artifact)
    given, reference = (artifact.golden(each) for each in (manifest.golden.inputs, manifest.golden.reference))
    assert (session.run([given[:1]])[0] @ reference[0]).item() > 0.999
    session.close()
    shown = pocketclip("inspect", scheme / "text").stdout
    assert "graphs for NPUs, compiled, not executed" in shown and "MediaTek Dimensity 9400" in shown
    refused = pocketclip(
        *("bundle", "--image", scheme / "image", "--text", scheme / "text", "--labels", "a cat,a dog"),
        *("--weights-licence", "Apache-2.0", "--out", tmp_path / "clip.bundle"),
    )
    assert refused.returncode != 0 and "cannot be bundled: the apps do not run" in error_line(refused)
