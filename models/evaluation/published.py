"""Published zero-shot accuracies, to be shown beside measured ones; never a substitute for them.

Top-1 in percent with OpenAI's prompt ensemble: MobileCLIP (Vasu et al., CVPR 2024, arXiv 2311.17049), MobileCLIP2
(Faghri et al. 2025, arXiv 2508.20691), CLIP ViT-B/16 (Radford et al. 2021, arXiv 2103.00020), and for the sets beside
ImageNet the evaluation results that come with the MobileCLIP checkpoints.
"""

from __future__ import annotations

_SETS = ("imagenet", "imagenet-v2", "imagenet-a", "imagenet-o", "imagenet-r", "objectnet")

_FIGURES: dict[str, tuple[float | None, ...]] = {
    "MobileCLIP-S0": (67.8, 59.9, 26.5, 53.9, 78.6, 55.9),
    "MobileCLIP-S1": (72.6, 64.9, 40.3, 50.5, 84.7, 63.4),
    "MobileCLIP-S2": (74.4, 66.8, 49.3, 46.9, 87.0, 66.6),
    "MobileCLIP-B": (76.8, 69.8, 58.7, 41.5, 89.6, 69.4),
    "MobileCLIP2-S0": (71.5, 63.1, 26.5, 59.6, 79.8, 57.7),
    "MobileCLIP2-S2": (77.2, 69.7, 49.9, 48.6, 87.4, 67.4),
    "ViT-B-16-openai": (68.3, None, None, None, None, None),
}

# Names of our models whose published weights those figures belong to. A name without its weights' tag is a file of
# the user's: the figure then says what the published weights reach.
_MODELS: dict[str, str] = {
    "mobileclip_s0": "MobileCLIP-S0",
    "mobileclip_s1": "MobileCLIP-S1",
    "mobileclip_s2": "MobileCLIP-S2",
    "mobileclip_b": "MobileCLIP-B",
    "open_clip-MobileCLIP-S1-datacompdr": "MobileCLIP-S1",
    "open_clip-MobileCLIP-S2-datacompdr": "MobileCLIP-S2",
    "open_clip-MobileCLIP-B-datacompdr": "MobileCLIP-B",
    "open_clip-MobileCLIP2-S0": "MobileCLIP2-S0",
    "open_clip-MobileCLIP2-S0-dfndr2b": "MobileCLIP2-S0",
    "open_clip-MobileCLIP2-S2": "MobileCLIP2-S2",
    "open_clip-MobileCLIP2-S2-dfndr2b": "MobileCLIP2-S2",
    "open_clip-ViT-B-16-openai": "ViT-B-16-openai",
}


def published_accuracy(model: str, dataset: str) -> float | None:
    """The published top-1 accuracy as a share, None where none is known.

    Args:
        model: the name of a configuration; a changed one has another name, and no published figure.
        dataset: the name of a set.
    """
    figures = _FIGURES.get(_MODELS.get(model, ""))
    if figures is None or dataset not in _SETS:
        return None
    percent = figures[_SETS.index(dataset)]
    return None if percent is None else percent / 100
