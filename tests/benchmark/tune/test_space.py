"""Spaces are read strictly; what cannot be is pruned with its reason, before it costs anything."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from pocketclip.benchmark.api.devices import known_devices
from pocketclip.benchmark.devices import open_device
from pocketclip.benchmark.errors import SpaceError, StudyError
from pocketclip.benchmark.tune.explain import estimate, explain
from pocketclip.benchmark.tune.points import change_words, expand_path, open_space
from pocketclip.benchmark.tune.settings import StudySettings
from pocketclip.benchmark.tune.space import parse_space, read_space, shipped_spaces
from pocketclip.benchmark.tune.trials import Trial
from pocketclip.models import documents
from pocketclip.models.errors import ConfigError
from pocketclip.models.registry import resolve_config
from tests.benchmark.tune.cheap import TOML, cheap_space, judged, measured, trained

HEAD = 'version = 1\nmodel = "pocketclip_nano"\ntargets = ["onnx"]\nprecisions = ["fp32"]\n'


def test_a_space_names_all_that_varies() -> None:
    space = cheap_space().space
    assert space.levels == {
        "kernels": ("7", "5", "3"),
        "activation": ("base", "relu"),
        "target": ("onnx", "tflite"),
        "precision": ("fp32", "int8-static"),
        "threads": ("1",),
    }
    assert space.size == 24
    assert space.sha256 == parse_space(TOML, source="again").sha256
    assert space.sha256 != parse_space(TOML.replace(b"3]", b"9]"), source="other").sha256


def test_precision_plans_are_told_apart() -> None:
    listed = (
        '["int8-static", {precision = "int8-static", keep_float = "stem,projection"},'
        ' {precision = "int8-static", max_drop = "cosine=0.999"}]'
    )
    space = parse_space(HEAD.replace('["fp32"]', listed).encode(), source="plans")
    assert space.labels == ("int8-static", "int8-static float:stem,projection", "int8-static cosine=0.999")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "is not TOML"),
        ("\x00", "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("version = 2", "has version 2"),
        ("version = 1", "model"),
        (HEAD.replace('["onnx"]', "[]"), "targets"),
        (HEAD.replace('["onnx"]', '["onnx", "onnx"]'), "lists something twice"),
        (HEAD.replace('"fp32"', '"fp31"'), "precisions"),
        (HEAD + "threads = [0]", "threads"),
        (HEAD + "threads = [nan]", "NaN"),
        (HEAD + "colour = 1", "colour"),
        (HEAD + '[factors.x]\npaths = ["image.activation"]', "needs paths and values"),
        (HEAD + "[factors.x.options]", "leaves nothing to choose"),
        (HEAD + '[factors.x]\npaths = ["a"]\nvalues = [1, 1]', "listed twice"),
        (HEAD + '[factors.target]\npaths = ["image.activation"]\nvalues = ["gelu"]', "cannot be called 'target'"),
        (HEAD + '[factors."../x"]\npaths = ["image.activation"]\nvalues = ["gelu"]', "plain name"),
        (HEAD + '[factors.x]\npaths = ["image; rm"]\nvalues = [1]', "dotted path"),
        (HEAD + '[factors.x]\npaths = ["image.activation"]\nvalues = ["\\u001b[31m"]', "values"),
        (HEAD + '[factors.x]\npaths = ["image.activation"]\nvalues = [2026-01-01]', "date"),
        (
            HEAD + '[factors.x]\npaths = ["image.stages.*.width"]\nvalues = [1]\n'
            '[factors.y]\npaths = ["image.stages.3.width"]\nvalues = [1]',
            "factors x and y both change",
        ),
        (HEAD.replace('["fp32"]', '[{precision = "fp32", keep_float = "stem"}]'), "rounds no weights"),
        (
            HEAD.replace('["fp32"]', '[{precision = "int8-static", keep_float = "a", keep_int16 = "b"}]'),
            "each choose modules",
        ),
    ],
)
def test_what_is_no_space_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(SpaceError) as refused:
        parse_space(text.encode(), source="space.toml")
    assert words in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_files_are_read_with_bounds(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"there is no space for 'nano'; .*pocketclip_nano"):
        read_space("nano")
    with pytest.raises(SpaceError, match="cannot read"):
        read_space(tmp_path / "none.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SpaceError, match="not a regular file"):
        read_space(tmp_path / "folder.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 20))
    with pytest.raises(SpaceError, match="at most"):
        read_space(tmp_path / "large.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(SpaceError, match="is not TOML"):
        read_space(tmp_path / "latin.toml")


@pytest.mark.parametrize("name", sorted(shipped_spaces()))
def test_every_point_of_a_shipped_space_is_a_model(name: str) -> None:
    space = read_space(name)
    assert space.model == name
    opened = open_space(space)
    drawn = opened.drawn(Random(0), 50)
    assert len(drawn) == 50 and len({opened.model_key(point) for point in drawn}) > 20


def test_stars_stand_for_every_place_of_a_list() -> None:
    content = documents.to_builtin(resolve_config("pocketclip_nano"))
    assert expand_path(content, "image.stages.*.width") == [f"image.stages.{stage}.width" for stage in range(4)]
    for path, words in (
        ("image.colour", "has no 'colour'"),
        ("image.stages.4.width", "indices 0 to 3"),
        ("image.*", "has no"),
        ("image.activation.x", "a single value"),
    ):
        with pytest.raises(ConfigError, match=words):
            expand_path(content, path)


def test_points_are_the_models_that_they_say() -> None:
    space = cheap_space()
    base, *_ = space.base_points()
    assert space.is_base(base) and space.changes(base) == {}
    params = space.params(base) | {"kernels": "3", "activation": "relu", "precision": "int8-static"}
    point = space.point(params)
    config = space.config(point)
    assert {stage.ffn_kernel for stage in config.image.stages} == {3}
    assert change_words(space.changes(point))[0] == "image.activation=relu"
    assert space.model_key(point) != space.model_key(base)
    assert space.scheme(point) == ("onnx", "int8-static")
    with pytest.raises(StudyError, match="has no kernels='4'"):
        space.point(params | {"kernels": "4"})
    with pytest.raises(StudyError, match="has no colour"):
        space.point(params | {"colour": "red"})


def test_what_cannot_be_is_pruned_with_its_reason() -> None:
    text = HEAD.replace('["fp32"]', '["fp32", "palette4"]').replace('["onnx"]', '["onnx", "coreml"]')
    text += '[factors.width]\npaths = ["image.stages.3.width"]\nvalues = [256, 200]\n'
    text += '[factors.activation.options]\nbase = {}\nsame = {"image.activation" = "gelu"}\n'
    space = open_space(parse_space(text.encode(), source="pruned"))
    explained = explain(space)
    assert explained.size == explained.looked_at == 16 and not explained.sampled
    reasons = dict(explained.pruned)
    # onnx has no palettes; a width of 200 is no multiple of the one before.
    lacking = [count for reason, count in reasons.items() if reason.startswith("onnx palette4: ")]
    assert lacking == [4]
    assert any("200" in reason or "multiple" in reason for reason in reasons)
    assert explained.points == 16 - sum(reasons.values())
    assert all(space.refusal(point) is None for point in space.points())
    # Both levels of the activation are the same model.
    assert explained.models == 1 and explained.again == explained.points // 2


def test_a_space_without_the_unchanged_model_or_without_any_point_is_refused() -> None:
    relu = HEAD + '[factors.a]\npaths = ["image.activation"]\nvalues = ["relu"]'
    with pytest.raises(SpaceError, match="no level that leaves pocketclip_nano as it is"):
        open_space(parse_space(relu.encode(), source="x"))
    wrong = HEAD + '[factors.a]\npaths = ["image.colour"]\nvalues = ["relu"]'
    with pytest.raises(SpaceError, match=r"factor a: image.colour: image has no 'colour'"):
        open_space(parse_space(wrong.encode(), source="x"))
    palette = HEAD.replace('"fp32"', '"palette4"')
    with pytest.raises(SpaceError, match="the space is empty"):
        open_space(parse_space(palette.encode(), source="x"))


def test_an_estimate_is_from_trials_where_there_are_some() -> None:
    space = cheap_space()
    settings = StudySettings(space.space)
    before = estimate(space, settings, (), most=10)
    assert before is not None and "pocketclip_nano" in before.source and before.total_s > 0
    trial = Trial(0, space.base_points()[0], 0, 0, measured(1.0), (trained(0.5),), judged(0.0))
    after = estimate(space, settings, (trial,), most=10)
    assert after is not None and "1 trials of this study" in after.source
    assert (after.measure_s, after.train_s, after.judge_s) == (10.0, 10.0, 10.0)
    assert estimate(space, settings, (), most=100).trials == space.space.size


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac times Core ML")
def test_what_a_device_cannot_time_is_pruned() -> None:
    text = HEAD.replace('["onnx"]', '["onnx", "coreml"]').replace('"fp32"', '"fp32", "fp16"')
    table = known_devices(None)
    space = open_space(parse_space(text.encode(), source="x"), open_device("host", table, say=print))
    reasons = {scheme: reason for scheme, reason in space.refused_schemes.items() if scheme[0] == "coreml"}
    assert len(reasons) == 2
    assert all("cannot be timed" in reason or "unavailable" in reason for reason in reasons.values())
    assert {space.scheme(point)[0] for point in space.points()} == {"onnx"}
