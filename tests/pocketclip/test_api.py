"""The public names: what they load, how they fail, that nothing prints."""

from __future__ import annotations

import logging
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pocketclip
from pocketclip.models.errors import PocketClipError, UnknownModelError


def test_importing_costs_nothing() -> None:
    program = (
        "import sys, pocketclip\n"
        "dir(pocketclip), pocketclip.PocketClipError\n"
        "heavy = {'numpy', 'torch', 'sqlalchemy', 'typer', 'rich', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", pocketclip.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(pocketclip, name).__doc__


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'exprot'"):
        pocketclip.exprot  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_of_exports_can_be_called(tmp_path: Path) -> None:
    assert pocketclip.export.__name__ == "pocketclip.export"
    with pytest.raises(PocketClipError, match="tower must be image or text, got 'both'") as caught:
        pocketclip.export("pocketclip_nano", target="onnx", tower="both", out=tmp_path)
    assert caught.value.fix == "export_all exports both"
    with pytest.raises(PocketClipError, match="name 2"):
        pocketclip.export("pocketclip_nano", target="onnx", precision="fp32,fp16", tower="text", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_embeds_images_and_sentences(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = pocketclip.load_model("pocketclip_nano")
    assert (model.name, model.trained) == ("pocketclip_nano", True)
    file = tmp_path / "red.png"
    Image.new("RGB", (50, 40), "red").save(file)
    images = model.embed_images([file, Image.open(file)])
    texts = model.embed_texts(["a red square", "a blue circle"])
    assert images.shape == texts.shape == (2, model.config.embedding_dim)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(images[0], images[1])
    assert capsys.readouterr() == ("", "")


def test_images_and_sentences_are_embedded_a_batch_at_a_time(tmp_path: Path) -> None:
    model = pocketclip.load_model("pocketclip_nano")
    sizes: list[int] = []
    model.module.image_encoder.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    photo = Image.new("RGB", (50, 40), "red")
    assert len(model.embed_images([photo] * 70)) == 70
    assert sizes == [64, 6]
    photo.save(tmp_path / "red.png")
    np.testing.assert_allclose(model.embed_images(tmp_path / "red.png"), model.embed_images([photo]))
    np.testing.assert_array_equal(model.embed_texts("a red square"), model.embed_texts(["a red square"]))
    none = (0, model.config.embedding_dim)
    assert model.embed_images([]).shape == model.embed_texts([]).shape == none


def test_changes_as_a_mapping_or_as_texts() -> None:
    by_mapping = pocketclip.load_model(
        "pocketclip_nano", changes={"image.stages.3.mixer": "repmixer"}, fresh_weights=True
    )
    by_texts = pocketclip.load_model("pocketclip_nano", changes=["image.stages.3.mixer=repmixer"], fresh_weights=True)
    assert by_mapping.config == by_texts.config and not by_mapping.trained
    assert by_mapping.complexity.image.flops < pocketclip.load_model("pocketclip_nano").complexity.image.flops


def test_untrained_models_are_refused() -> None:
    with pytest.raises(PocketClipError, match="no trained weights") as caught:
        pocketclip.load_model("mobileclip_s0")
    assert caught.value.code == "untrained"
    assert "--fresh-weights" in str(caught.value.fix)
    with pytest.raises(PocketClipError, match="cannot be used together"):
        pocketclip.load_model("pocketclip_nano", weights="x.pt", fresh_weights=True)


def test_errors_have_a_code_and_a_fix_that_survive_a_process() -> None:
    with pytest.raises(UnknownModelError) as caught:
        pocketclip.load_model("no-such-model")
    assert caught.value.code == "unknown-model"
    error = PocketClipError("it broke", fix="mend it", code="broken")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.what, again.fix, again.code) == ("it broke; mend it", "it broke", "mend it", "broken")


def test_codes_are_words_for_programs() -> None:

    def below(kind: type[PocketClipError]) -> list[type[PocketClipError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in below(child))]

    kinds = [each for each in below(PocketClipError) if each.__module__.startswith("pocketclip.")]
    assert len(kinds) > 60
    assert [each for each in kinds if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", each.code)] == []


def test_warnings_go_to_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    # The command line, where a test has loaded it, shows the log itself.
    monkeypatch.setattr(logging.getLogger("pocketclip"), "propagate", True)
    from pocketclip.models.progress import CountingWatch, Progress

    seen: list[Progress] = []
    watch = CountingWatch(seen.append)
    with caplog.at_level(logging.INFO, "pocketclip"):
        watch.begin("work", 3)
        watch.advance(2)
        watch.note("something to know")
    assert seen == [Progress("work", 0, 3), Progress("work", 2, 3)]
    assert {record.getMessage() for record in caplog.records} == {"something to know"}
