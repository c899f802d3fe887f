"""Real inputs for parity and calibration: rendered scenes, photographs, captions.

Random noise hides what quantisation breaks, so none is used. Calibration draws from the training scenes, parity
from the validation scenes, and zero-shot evaluation from the held-out ones: no sample serves two purposes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

from pocketclip.export.precision import Tower
from pocketclip.models.config import AnyConfig
from pocketclip.models.pixels.preprocess import load_image, normalize, preprocess
from pocketclip.models.scenes import SceneDataset, Split, class_prompts, render_arrays, scene_classes
from pocketclip.models.text.tokenizer import load_tokenizer

# With 64, the sampling error of top-1 agreement (4.5 points) was as large as the margin to its budget.
PARITY_SCENES = 256
CALIBRATION_SCENES = 128
# Those of `models.evaluation.zero_shot.classify_scenes`, which `pocketclip eval` runs.
EVALUATION_SCENES = 960
_PARITY_SEED = 7
_CALIBRATION_SEED = 11

# scikit-image's sample photographs that come with its package, each with a true caption.
PARITY_PHOTOGRAPHS: dict[str, str] = {
    "astronaut.png": "a woman in an orange space suit in front of a flag and a model of a space shuttle",
    "camera.png": "a black and white photo of a man with a camera on a tripod",
    "chelsea.png": "a close-up of a tabby cat",
    "coffee.png": "a cup of coffee on a saucer with a spoon",
    "horse.png": "the black silhouette of a horse",
    "hubble_deep_field.jpg": "galaxies in deep space, a photo of the Hubble telescope",
    "moon.png": "the surface of the moon with craters",
    "motorcycle_left.png": "a motorcycle in a garage",
    "page.png": "a printed page of text under uneven light",
    "retina.jpg": "the retina of a human eye",
    "rocket.jpg": "a rocket on its launch pad at night",
}
CALIBRATION_PHOTOGRAPHS: dict[str, str] = {
    "brick.png": "a wall of bricks",
    "cell.png": "a cell under a microscope",
    "clock_motion.png": "a clock blurred by motion",
    "coins.png": "ancient coins in rows on a grey surface",
    "color.png": "a chart of colours",
    "grass.png": "a lawn seen from above",
    "gravel.png": "gravel seen from above",
    "ihc.png": "stained tissue under a microscope",
    "logo.png": "a logo with a snake",
}


def parity_inputs(config: AnyConfig, tower: Tower) -> list[np.ndarray]:
    """Inputs of batch 1 for the comparison with PyTorch, of the tower's shape and dtype."""
    if tower is Tower.IMAGE:
        return [preprocess(image, config.preprocess)[None] for image in _parity_images()]
    tokenizer = load_tokenizer(config.tokenizer)
    return list(tokenizer(_parity_captions())[:, None, :])


def scene_calibration_inputs(config: AnyConfig, tower: Tower, count: int = CALIBRATION_SCENES) -> list[np.ndarray]:
    """Inputs of batch 1 from `count` training scenes and some photographs; none that parity uses too.

    Captions come from few words, so that some appear in both splits: they are left out here.
    """
    judged = {array.tobytes() for array in parity_inputs(config, tower)}
    return [array for array in _scene_inputs(config, tower, count) if array.tobytes() not in judged]


def judged_inputs(config: AnyConfig, tower: Tower) -> Iterator[tuple[str, np.ndarray]]:
    """Every input that artefacts are judged on, with what it is used for: no calibration sample may be one."""
    for array in parity_inputs(config, tower):
        yield "the parity check", array
    if tower is Tower.IMAGE:
        pixels, _ = render_arrays(Split.HELDOUT, EVALUATION_SCENES, 0, config.preprocess.image_size)
        for image in pixels:
            yield "the evaluation", normalize(image, config.preprocess)[None]
    else:
        prompts = [prompt for entry in scene_classes(Split.HELDOUT) for prompt in class_prompts(entry.name)]
        for ids in load_tokenizer(config.tokenizer)(prompts)[:, None, :]:
            yield "the evaluation", ids


def _scene_inputs(config: AnyConfig, tower: Tower, count: int) -> list[np.ndarray]:
    size = config.preprocess.image_size
    if tower is Tower.IMAGE:
        pixels, _ = render_arrays(Split.TRAIN, count, _CALIBRATION_SEED, size)
        scenes = (Image.fromarray(image) for image in pixels)
        return [
            preprocess(image, config.preprocess)[None] for image in (*scenes, *_photographs(CALIBRATION_PHOTOGRAPHS))
        ]
    captions = SceneDataset(Split.TRAIN, count, seed=_CALIBRATION_SEED).captions()
    prompts = [prompt for entry in scene_classes(Split.TRAIN) for prompt in class_prompts(entry.name)]
    # Prompts beside captions: classification feeds both kinds of sentence.
    step = max(1, len(prompts) // max(1, count // 2))
    tokenizer = load_tokenizer(config.tokenizer)
    return list(tokenizer([*captions, *prompts[::step], *CALIBRATION_PHOTOGRAPHS.values()])[:, None, :])


def calibration_photographs() -> list[Image.Image]:
    """The photographs among the calibration samples, in RGB, whole."""
    return _photographs(CALIBRATION_PHOTOGRAPHS)


def label_prompts() -> list[str]:
    """One prompt per scene class, seen and held out: the label set of the top-1 comparison."""
    names = [entry.name for split in (Split.TRAIN, Split.HELDOUT) for entry in scene_classes(split)]
    return [class_prompts(name)[1] for name in names]


@functools.cache
def _parity_images() -> tuple[Image.Image, ...]:
    # Sides other than the model's, so that resizing and cropping take part.
    pixels, _ = render_arrays(Split.VALIDATION, PARITY_SCENES, _PARITY_SEED, (160, 120))
    scenes = [Image.fromarray(image) for image in pixels]
    return (*scenes, *_photographs(PARITY_PHOTOGRAPHS))


@functools.cache
def _parity_captions() -> list[str]:
    scenes = SceneDataset(Split.VALIDATION, PARITY_SCENES, seed=_PARITY_SEED)
    return [*scenes.captions(), *PARITY_PHOTOGRAPHS.values()]


def _photographs(names: Iterable[str]) -> list[Image.Image]:
    folder = Path(str(resources.files("skimage") / "data"))
    return [load_image(folder / name) for name in names]
