"""The images and sentences that a bundle proves itself with, from pixels and text to ranked labels."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketclip.export.bundle.manifest import GoldenRanking
from pocketclip.models.evaluation.zero_shot import rank_labels
from pocketclip.models.pixels.preprocess import load_image
from pocketclip.models.scenes import Split, render_arrays

# So many of an artefact's own golden samples are kept: with the images below, enough to find a wrong kernel.
TOWER_SAMPLES = 4
# So many places of a ranking are kept.
RANKED = 5
_SEED = 7


@dataclass(frozen=True)
class Photograph:
    """A part of one of scikit-image's sample photographs, pixel by pixel: (left, top, right, bottom), None for all."""

    file: str
    box: tuple[int, int, int, int] | None
    licence: str
    copyright: str | None
    source: str


# Sides above and below a model's, wide and narrow, odd: resizing and cropping round differently for each.
PHOTOGRAPHS: dict[str, Photograph] = {
    "cat": Photograph("chelsea.png", None, "CC0-1.0", "Stefan van der Walt", "scikit-image, skimage.data.chelsea"),
    "astronaut": Photograph(
        "astronaut.png", (170, 20, 277, 173), "public domain", None, "NASA; scikit-image, skimage.data.astronaut"
    ),
    "rocket": Photograph("rocket.jpg", (290, 90, 343, 427), "CC0-1.0", "SpaceX", "scikit-image, skimage.data.rocket"),
}
SCENE = "scene"

# What tokenizers get wrong: case, spaces, contractions, references, accents, other scripts, emoji, length, nothing.
SENTENCES: tuple[str, ...] = (
    "a photo of a cat",
    "  A Photo   of\ta CAT\n",
    "it's the dog's bone; they're happy, aren't they?",
    "3.5% of 1,024 photographs were taken in 2024",
    "naïve café, crème brûlée & jalapeño",
    "fish &amp; chips &lt;tasty&gt;",
    "a \u201cquoted\u201d word \u2013 and \u2018another\u2019 \u2026",
    "東京タワーの夜景",
    "собака на пляже",
    "a rocket 🚀 and a family 👨‍👩‍👧 at the beach 🏖️",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "the tokens <end_of_text> and <start_of_text> inside a sentence",
    "",
    " ".join(f"{count} small red circles next to {count} large blue squares" for count in range(1, 13)),
)


def golden_images() -> dict[str, Image.Image]:
    """Small RGB images by name: parts of photographs, and a generated scene."""
    folder = Path(str(resources.files("skimage") / "data"))
    images: dict[str, Image.Image] = {}
    for name, photograph in PHOTOGRAPHS.items():
        image = load_image(folder / photograph.file)
        images[name] = image if photograph.box is None else image.crop(photograph.box)
    pixels, _ = render_arrays(Split.VALIDATION, 1, _SEED, (160, 120))
    images[SCENE] = Image.fromarray(pixels[0])
    return images


def golden_ranking(image: NDArray[np.float32], labels: NDArray[np.float32], logit_scale: float) -> GoldenRanking:
    """The best labels (K, D) of an image (1, D), both normalised."""
    best = rank_labels(image, labels, logit_scale)[:RANKED]
    cosines = (image @ labels.T)[0]
    return GoldenRanking(
        places=tuple(place for place, _ in best),
        cosines=tuple(float(cosines[place]) for place, _ in best),
        probabilities=tuple(probability for _, probability in best),
    )


def spread(samples: np.ndarray) -> np.ndarray:
    """`TOWER_SAMPLES` of the samples along the first axis, evenly spaced so that each kind appears."""
    step = max(1, len(samples) // TOWER_SAMPLES)
    return samples[::step][:TOWER_SAMPLES]
