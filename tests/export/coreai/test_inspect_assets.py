"""What `inspect` shows of assets that somebody else may have made."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pocketclip.export.api import inspect
from pocketclip.export.coreai.asset_report import AssetReport
from pocketclip.export.lint.run import summary_of_file

from .conftest import Convert


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.activation, self.last = nn.Linear(8, 512), nn.Hardswish(), nn.Linear(512, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.activation(self.first(x))).argmax(1)


def report_on(path) -> AssetReport:
    report = inspect(path)
    assert isinstance(report, AssetReport)
    return report


def test_ops_weights_and_likely_faults(convert: Convert) -> None:
    report = report_on(convert(Classifier(), torch.rand(2, 8)))
    assert report.format == "2.0" and report.producer.startswith("coreai-core ")
    assert [name.rpartition("_")[0] for name in report.composites] == ["hard_sigmoid"]
    (function,) = report.functions
    assert function.name == "main" and function.inputs == ("x: float16 [2, 8]",)
    assert function.outputs[0].endswith("int32 [2]")
    ops = {op.op_type: op for op in function.inspection.ops}
    assert ops["batch_matmul"].count == 2 and ops["batch_matmul"].weight_bytes == 2 * (8 * 512 + 512 * 4)
    assert dict(ops["argmax"].precisions) == {"uint32": 1}
    (form,) = function.inspection.weights
    assert (form.form, form.count, form.values, form.bits) == ("float16", 3, 8 * 512 + 512 + 512 * 4, 16)
    found = "\n".join(function.predictions)
    assert "argmax finds a place at run time" in found and "hard_sigmoid reads the product of two axes" in found


def test_every_function_is_shown_with_its_own_faults(convert: Convert) -> None:
    report = report_on(convert(Classifier(), torch.rand(2, 8), entry_points=("other", "main")))
    assert [function.name for function in report.functions] == ["main", "other"]
    for function in report.functions:
        assert function.predictions and all(each.startswith(f"{function.name}: ") for each in function.predictions)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * 2, (x,))


def test_branches_are_said_not_to_be_read(convert: Convert) -> None:
    linted = summary_of_file(convert(Branching(), torch.rand(4), half=False))
    (words,) = linted.not_looked_at
    assert words.startswith("what if ") and words.endswith(" of main runs inside")


def test_the_command_prints_it_in_lines(convert: Convert, pocketclip) -> None:
    path = convert(Classifier(), torch.rand(2, 8))
    shown = pocketclip("inspect", path)
    assert shown.returncode == 0, shown.stderr
    assert "Core AI asset for iOS 27 and later" in shown.stdout
    assert "Neural Engine, by faults that others reported (only a device gives certainty):" in shown.stdout
    (path / "metadata.json").write_text('{"assetVersion": "2.0"}')
    assert "format 2.0, written by an unknown program" in pocketclip("inspect", path).stdout
    (path / "main.hash").write_bytes(bytes(32))
    damaged = pocketclip("inspect", path)
    assert damaged.returncode == 2 and "Traceback" not in damaged.stderr
    assert "do not have the hash of main.hash; it is cut short or damaged" in damaged.stderr.replace("\n", " ")
