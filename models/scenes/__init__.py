"""Captioned scenes of coloured shapes, generated from seeds, to train and evaluate a small CLIP.

The `heldout` split shows pairs of colour and shape that `train` and `validation` never show, for
zero-shot classification of unseen combinations.
"""

from pocketclip.models.scenes.captions import (
    CLASS_TEMPLATES,
    all_words,
    caption,
    class_name,
    class_prompts,
    sample_caption,
)
from pocketclip.models.scenes.dataset import (
    NO_LABEL,
    SceneClass,
    SceneDataset,
    SceneSample,
    heldout_classes,
    render_arrays,
    scene_classes,
)
from pocketclip.models.scenes.render import render
from pocketclip.models.scenes.scene import Scene, SceneKind, SceneObject, Split, sample_scene

__all__ = [
    "CLASS_TEMPLATES",
    "NO_LABEL",
    "Scene",
    "SceneClass",
    "SceneDataset",
    "SceneKind",
    "SceneObject",
    "SceneSample",
    "Split",
    "all_words",
    "caption",
    "class_name",
    "class_prompts",
    "heldout_classes",
    "render",
    "render_arrays",
    "sample_caption",
    "sample_scene",
    "scene_classes",
]
