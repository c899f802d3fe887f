"""Pairs of precision and chip that cannot work are refused by the table, before anything is prepared."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketclip.export.artifact.precision_plan import KeptPrecision
from pocketclip.export.errors import UnsupportedPrecisionError
from pocketclip.export.inputs.calibration import GENERATED_SCENES
from pocketclip.export.job import ExportJob
from pocketclip.export.jobs.planning import Plan, make_plan
from pocketclip.export.mixed.command import with_mixed
from pocketclip.export.mixed.keep import with_kept
from pocketclip.export.npu.limits import LIMITS, check_chips
from pocketclip.export.npu.socs import DEFAULT_SOCS, SOCS, chips_of
from pocketclip.export.precision import NPU_TARGETS, Precision, TargetName, Tower
from pocketclip.export.targets import TARGETS, probe
from pocketclip.models.registry import ChosenModel, load_config

TOO_OLD = (
    r"target executorch-qnn cannot prepare w8a16-static of the image tower for SM8450 \(Snapdragon 8 Gen 1, Hexagon "
    r"v69\): it gives attention products of two 16-bit values, .* from v73 on; choose among the chips SM8550, SM8650, "
    r"SM8750, SM8850, or "
)


def check(target: TargetName, precision: Precision, *chips: str, tower: Tower = Tower.IMAGE) -> None:
    check_chips(target, precision, tower, chips, what=precision, fix="another precision")


def test_old_chips_are_named_with_those_that_fit() -> None:
    with pytest.raises(UnsupportedPrecisionError, match=TOO_OLD + "another precision$"):
        check(TargetName.EXECUTORCH_QNN, Precision.W8A16_STATIC, "SM8650", "SM8450")
    with pytest.raises(UnsupportedPrecisionError, match=r"SM8450 \(.*\), SM8475 \("):
        check(TargetName.TFLITE_QNN, Precision.W8A16_STATIC, "SM8450", "SM8475")


def test_a_limit_may_be_of_one_tower() -> None:
    with pytest.raises(UnsupportedPrecisionError, match=r"int8-static of the text tower .* computes something else"):
        check(TargetName.TFLITE_QNN, Precision.INT8_STATIC, "SM8475", tower=Tower.TEXT)
    check(TargetName.TFLITE_QNN, Precision.INT8_STATIC, "SM8475", tower=Tower.IMAGE)


def test_all_other_pairs_are_taken() -> None:
    for target in NPU_TARGETS:
        for precision in TARGETS[target].precisions:
            check(target, precision, *(chips_of(target) if (target, precision) not in LIMITS else ()))
            check(target, precision, *(DEFAULT_SOCS if (target, precision) in LIMITS else ()))


def test_versions_of_hexagon_are_numbers() -> None:
    assert [soc.hexagon_version for soc in SOCS.values()] == [69, 69, 73, 75, 79, 81]


def plan(target: TargetName, precision: str, soc: str) -> Plan:
    return make_plan(
        ChosenModel(load_config("pocketclip_nano"), None),
        target,
        precision,
        "image",
        Path("out"),
        calibration=GENERATED_SCENES,
        soc=soc,
    )


@pytest.mark.skipif(not probe(TargetName.EXECUTORCH_QNN).available, reason=str(probe(TargetName.EXECUTORCH_QNN).reason))
def test_a_plan_refuses_what_is_named_and_leaves_out_what_is_not() -> None:
    with pytest.raises(UnsupportedPrecisionError, match=TOO_OLD):
        plan(TargetName.EXECUTORCH_QNN, "fp16,w8a16-static", "galaxy-s22,galaxy-s24")
    made = plan(TargetName.EXECUTORCH_QNN, "all", "galaxy-s22")
    assert [job.precision for job in made.jobs] == [Precision.FP16, Precision.INT8_STATIC]
    assert list(made.skipped) == ["executorch-qnn w8a16-static image"]
    assert "SM8450" in made.skipped["executorch-qnn w8a16-static image"]
    assert not plan(TargetName.EXECUTORCH_QNN, "all", "galaxy-s24").skipped


def job(target: TargetName, *socs: str, precision: Precision = Precision.INT8_STATIC) -> ExportJob:
    return ExportJob(load_config("pocketclip_nano"), None, target, precision, Tower.IMAGE, Path("out"), socs=socs)


def test_modules_in_int16_need_the_same() -> None:
    with pytest.raises(
        UnsupportedPrecisionError, match="cannot prepare modules in int16 of the image tower for SM8450"
    ):
        with_kept([job(TargetName.TFLITE_QNN, "SM8450")], "stem", KeptPrecision.INT16)
    with pytest.raises(
        UnsupportedPrecisionError, match="cannot prepare modules in int16 of the image tower for SM8475"
    ):
        with_mixed([job(TargetName.EXECUTORCH_QNN, "SM8650", "SM8475")], "cosine=0.99", None, [])
    (kept,) = with_kept([job(TargetName.ONNX_QNN, "SM8450")], "stem", KeptPrecision.INT16)
    assert kept.plan is not None


def test_a_search_for_what_a_target_does_not_mix_is_refused_before_it_starts() -> None:
    with pytest.raises(UnsupportedPrecisionError, match="executorch-qnn cannot keep modules in float"):
        with_mixed(
            [job(TargetName.EXECUTORCH_QNN, "SM8650", precision=Precision.W8A16_STATIC)], "cosine=0.99", None, []
        )
