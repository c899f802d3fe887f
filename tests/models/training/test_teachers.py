"""Teachers see what the student sees, at their own resolution, and students learn from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pocketclip.models.data.batches import Batch, TeacherEmbeddings
from pocketclip.models.errors import ConfigError
from pocketclip.models.pixels.preprocess import PreprocessSpec
from pocketclip.models.registry import build_trained_model, load_config
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.training.config import Recipe, TrainingConfig
from pocketclip.models.training.distributed import Processes
from pocketclip.models.training.run_log import LOG_FILE
from pocketclip.models.training.scene_batches import SceneBatches
from pocketclip.models.training.teachers import OnlineTeacher, StoredTeachers
from pocketclip.models.training.trainer import train

CPU = torch.device("cpu")


def scene_batch(size: int = 8) -> tuple[Batch, PreprocessSpec]:
    config = TrainingConfig("pocketclip_nano", steps=1, warmup_steps=0, batch_size=size)
    model = load_config("pocketclip_nano")
    batches = SceneBatches(
        config,
        size,
        model.preprocess,
        load_tokenizer(model.tokenizer),
        Processes(0, 1, CPU),
        batch_size=config.batch_size,
        workers=1,
    )
    return batches.next_batch(), model.preprocess


def test_a_trained_teacher_finds_the_captions_of_scenes() -> None:
    batch, spec = scene_batch(16)
    view = OnlineTeacher(build_trained_model("pocketclip_nano"), spec, CPU).view(batch, CPU)
    similarity = view.image @ view.text.T
    assert (similarity.diag() > similarity.mean()).all()
    torch.testing.assert_close(view.image.norm(dim=-1), torch.ones(16))
    assert 1 < view.scale <= 100


def test_a_teacher_of_another_resolution_and_range_sees_the_same_image() -> None:
    batch, spec = scene_batch()
    model = build_trained_model("pocketclip_nano")
    own = OnlineTeacher(model, spec, CPU).view(batch, CPU)
    shifted = replace(spec, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    moved = replace(
        batch,
        images=(batch.images - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1))
        / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1),
    )
    torch.testing.assert_close(OnlineTeacher(model, shifted, CPU).view(moved, CPU).image, own.image, atol=1e-4, rtol=0)
    larger = replace(batch, images=torch.nn.functional.interpolate(batch.images, scale_factor=2, mode="nearest"))
    seen = OnlineTeacher(model, replace(spec, image_size=128), CPU).view(larger, CPU)
    assert ((seen.image * own.image).sum(-1) > 0.97).all()


def test_stored_embeddings_are_split_and_normalised_per_teacher() -> None:
    batch, _ = scene_batch(4)
    drawn = [torch.randn(4, 5) for _ in range(3)]
    batch = replace(batch, teachers=TeacherEmbeddings(*drawn))
    first, second = StoredTeachers((2, 3), (30.0, 100.0)).views(batch, CPU)
    torch.testing.assert_close(first.image, torch.nn.functional.normalize(drawn[0][:, :2], dim=-1))
    torch.testing.assert_close(second.text, torch.nn.functional.normalize(drawn[1][:, 2:], dim=-1))
    with pytest.raises(ConfigError, match=r"have 5 columns.*--teacher-dims"):
        StoredTeachers((768, 768), (100.0, 100.0)).views(batch, CPU)


@pytest.mark.parametrize("recipe", [Recipe.DISTILLATION, Recipe.AFFINITY])
def test_students_come_closer_to_their_teacher(recipe: Recipe, tmp_path: Path) -> None:
    config = TrainingConfig(
        "pocketclip_nano",
        steps=12,
        recipe=recipe,
        teachers=("pocketclip_nano",),
        data="scenes:32",
        batch_size=16,
        warmup_steps=2,
        checkpoint_every=12,
        validation_samples=8,
    )
    train(config, tmp_path, workers=1)
    logged = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    term = "affinity" if recipe is Recipe.AFFINITY else "distillation"
    assert sum(entry["terms"][term] for entry in logged[-3:]) < sum(entry["terms"][term] for entry in logged[:3])


def test_an_open_clip_student_learns_from_a_teacher(tmp_path: Path) -> None:
    student = {
        "name": "tiny_vit",
        "description": "Two small transformers.",
        "embedding_dim": 32,
        "preprocess": {"image_size": 64},
        "tokenizer": {"context_length": 77},
        "architecture": {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 64, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
        },
    }
    path = tmp_path / "tiny_vit.json"
    path.write_text(json.dumps(student))
    config = TrainingConfig(
        str(path),
        steps=2,
        recipe=Recipe.AFFINITY,
        teachers=("pocketclip_nano",),
        data="scenes:16",
        batch_size=8,
        warmup_steps=0,
        validation_samples=8,
        activation_checkpointing=True,
    )
    weights = train(config, tmp_path / "run", workers=1)
    trained = build_trained_model(f"{tmp_path / 'run' / 'model.json'}={weights}")
    assert trained.config.name == "tiny_vit"
