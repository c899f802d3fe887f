"""Gradients of one step by the trainer's own parts, in one process or, run as a program, in one of several."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pocketclip.models.data.batches import Batch, TeacherEmbeddings
from pocketclip.models.registry import load_config, new_model
from pocketclip.models.text.tokenizer import load_tokenizer
from pocketclip.models.training.config import Autocast, Recipe, TrainingConfig
from pocketclip.models.training.distributed import Processes, joined_processes, share_batch_statistics
from pocketclip.models.training.recipes import objective
from pocketclip.models.training.scene_batches import SceneBatches
from pocketclip.models.training.step import GradientPass, inputs_of
from pocketclip.models.training.student import Student, checkpoint_activations
from pocketclip.models.training.teachers import NoTeachers, StoredTeachers, gathered_goals

BATCH_SIZE, TEACHER_DIMS = 8, (5, 3)


def whole_batch(config: TrainingConfig) -> Batch:
    """Eight scenes; for the reinforced recipe, with other captions as synthetic ones and drawn teachers."""
    model = load_config(config.model)
    alone = Processes(0, 1, torch.device("cpu"))
    batches = SceneBatches(
        config, 16, model.preprocess, load_tokenizer(model.tokenizer), alone, batch_size=config.batch_size, workers=1
    )
    batch = batches.next_batch()
    if config.recipe is not Recipe.REINFORCED:
        return batch
    other = batches.next_batch()
    generator = torch.Generator().manual_seed(5)
    drawn = [torch.randn(BATCH_SIZE, sum(TEACHER_DIMS), generator=generator) for _ in range(3)]
    return replace(
        batch,
        synthetic_token_ids=other.token_ids,
        synthetic_caption_ids=other.caption_ids,
        teachers=TeacherEmbeddings(*drawn),
    )


def share_of(batch: Batch, processes: Processes) -> Batch:
    """The rows of a process, in the order of ranks."""

    def cut(rows: Tensor | None) -> Tensor | None:
        return None if rows is None else rows.chunk(processes.world)[processes.rank]

    teachers = batch.teachers
    return Batch(
        batch.images.chunk(processes.world)[processes.rank],
        batch.token_ids.chunk(processes.world)[processes.rank],
        batch.caption_ids.chunk(processes.world)[processes.rank],
        cut(batch.synthetic_token_ids),
        cut(batch.synthetic_caption_ids),
        None
        if teachers is None
        else TeacherEmbeddings(
            *(
                rows.chunk(processes.world)[processes.rank]
                for rows in (teachers.image, teachers.text, teachers.synthetic_text)
            )
        ),
    )


def step_gradients(
    processes: Processes, recipe: Recipe, *, accumulation: int = 1, checkpointing: bool = False, frozen: bool = False
) -> dict[str, Tensor]:
    """The gradients of every parameter, the loss, and the running statistics after one step's backward pass.

    `frozen` lets BatchNorms use their running statistics, so that parts of a batch see what the whole sees.
    """
    config = TrainingConfig(
        "pocketclip_nano",
        steps=1,
        warmup_steps=0,
        recipe=recipe,
        batch_size=BATCH_SIZE,
        distillation_weight=0.5 if recipe is Recipe.REINFORCED else None,
        token_weight=0.5,
    )
    torch.manual_seed(0)
    model = new_model(load_config(config.model))
    with torch.no_grad():
        # As deep in a run: at the start, layer scales of 1e-5 hide most of the network from the loss.
        for name, parameter in model.named_parameters():
            if "layer_scale" in name:
                parameter.fill_(0.5)
    if checkpointing:
        checkpoint_activations(model)
    student = Student(model, recipe, fresh=True, predicts_tokens=True)
    # In double precision a wrong gradient cannot pass for rounding, of which LayerNorms in float32 leave a little.
    student.double().train()
    if frozen:
        for module in student.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
    trained: nn.Module = student
    if processes.world > 1:
        share_batch_statistics(student, processes.device)
        trained = DistributedDataParallel(student, broadcast_buffers=False)
    teachers = StoredTeachers(TEACHER_DIMS, (100.0, 30.0)) if recipe is Recipe.REINFORCED else NoTeachers()
    batch = share_of(whole_batch(config), processes)
    batch = replace(batch, images=batch.images.double())
    goals = gathered_goals(batch, teachers.views(batch, processes.device), processes)
    gradients = GradientPass(trained, objective(config), processes, accumulation=accumulation, autocast=Autocast.OFF)
    terms = gradients.run(inputs_of(batch, processes.device), goals, torch.Tensor.backward)
    found = {name: value.grad.clone() for name, value in student.named_parameters() if value.grad is not None}
    assert len(found) == len(list(student.parameters()))
    found |= {name: value.clone() for name, value in student.named_buffers()}
    return {**found, "loss": torch.stack(list(terms.values())).sum()}


def difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> tuple[float, str]:
    """The largest difference of any entry, relative to the entry's largest value, and where it is."""
    assert found.keys() == expected.keys()
    floor = 1e-6
    return max(
        (
            float((found[name].double() - value.double()).abs().max() / max(floor, float(value.abs().max()))),
            name,
        )
        for name, value in expected.items()
    )


if __name__ == "__main__":
    recipe, accumulation, out = Recipe(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    with joined_processes("cpu") as joined:
        result = step_gradients(joined, recipe, accumulation=accumulation)
        torch.save(result, out / f"{joined.rank}.pt")
