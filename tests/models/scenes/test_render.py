"""Rendering: same pixels for the same seed, the asked-for size, and colours that match their words."""

from __future__ import annotations

import numpy as np
import pytest

from pocketclip.models.errors import DatasetError
from pocketclip.models.scenes.attributes import (
    COLOUR_RGB,
    GROUND_RGB,
    RGB,
    Colour,
    Ground,
    GroundStyle,
    Relation,
    Shape,
    Size,
    Texture,
    contrast,
)
from pocketclip.models.scenes.render import OUTLINES, render
from pocketclip.models.scenes.scene import Background, Scene, SceneKind, SceneObject, sample_scene

# Shapes that cover the point at their centre.
SOLID = frozenset(Shape) - {Shape.RING, Shape.CRESCENT}


def lone(shape: Shape, colour: Colour, texture: Texture = Texture.PLAIN, ground: Ground = Ground.WHITE) -> Scene:
    item = SceneObject(shape, colour, Size.LARGE, texture, 0.5, 0.5, 0.36)
    return Scene(SceneKind.SINGLE, (item,), Background(ground, GroundStyle.PLAIN))


def pixel(scene: Scene, size: int | tuple[int, int], x: float, y: float, seed: int = 0) -> RGB:
    """The mean of 3x3 pixels around a point given in fractions of the sides."""
    pixels = np.asarray(render(scene, size, seed=seed))
    row, column = int(y * pixels.shape[0]), int(x * pixels.shape[1])
    red, green, blue = pixels[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1))
    return int(red), int(green), int(blue)


def nearest_colour(rgb: RGB) -> Colour:
    return min(Colour, key=lambda colour: contrast(COLOUR_RGB[colour], rgb))


def coverage(scene: Scene) -> np.ndarray:
    """Where a large image of a black object on white is dark, as booleans."""
    return np.asarray(render(scene, 256, seed=1).convert("L")) < 128


@pytest.mark.parametrize("size", [64, (97, 61), (61, 97), 224])
def test_size_is_the_one_asked_for(size: int | tuple[int, int]) -> None:
    image = render(sample_scene(0, 0), size, seed=0)
    assert image.mode == "RGB"
    assert image.size == ((size, size) if isinstance(size, int) else size)


def test_seed_decides_the_pixels() -> None:
    scene = sample_scene(0, 4)
    first = render(scene, 64, seed=[1, 2]).tobytes()
    assert render(scene, 64, seed=[1, 2]).tobytes() == first
    assert render(scene, 64, seed=[1, 3]).tobytes() != first


@pytest.mark.parametrize("colour", list(Colour))
def test_colour_word_agrees_with_the_pixels(colour: Colour) -> None:
    ground = Ground.LIGHT_YELLOW if colour is Colour.WHITE else Ground.WHITE
    for shape in SOLID:
        for seed in range(5):
            rgb = pixel(lone(shape, colour, ground=ground), 64, 0.5, 0.5, seed)
            assert nearest_colour(rgb) is colour, (shape, seed, rgb)


def test_colour_of_sampled_plain_objects_agrees_with_the_pixels() -> None:
    checked = 0
    for index in range(400):
        scene = sample_scene(5, index)
        # What lies inside another object hides that object's centre.
        visible = scene.objects
        if scene.relation in (Relation.INSIDE, Relation.AROUND):
            visible = (min(scene.objects, key=lambda item: item.radius),)
        for item in visible:
            if item.texture is Texture.PLAIN and item.shape in SOLID:
                rgb = pixel(scene, (80, 64), item.x, item.y, index)
                assert nearest_colour(rgb) is item.colour, (index, rgb)
                checked += 1
    assert checked > 150


@pytest.mark.parametrize("ground", list(Ground))
def test_ground_word_agrees_with_the_pixels(ground: Ground) -> None:
    rgb = pixel(lone(Shape.CIRCLE, Colour.ORANGE, ground=ground), 64, 0.06, 0.06)
    assert min(Ground, key=lambda each: contrast(GROUND_RGB[each], rgb)) is ground


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("texture", [Texture.STRIPED, Texture.DOTTED, Texture.CHECKERED])
def test_textures_show_a_second_colour_but_leave_the_first_in_place(colour: Colour, texture: Texture) -> None:
    image = np.asarray(render(lone(Shape.SQUARE, colour, texture, Ground.LIGHT_YELLOW), 128, seed=2))
    inside = image[44:84, 44:84].reshape(-1, 3).astype(int)
    own = np.mean([contrast((r, g, b), COLOUR_RGB[colour]) < 60 for r, g, b in inside.tolist()])
    assert 0.4 < own < 0.9
    assert np.std(inside.sum(axis=1)) > 60


def test_shapes_differ_from_each_other() -> None:
    masks = {shape: coverage(lone(shape, Colour.BLACK)) for shape in Shape}
    for shape, mask in masks.items():
        for other, against in masks.items():
            overlap = (mask & against).sum() / (mask | against).sum()
            assert (overlap > 0.99) if shape is other else (overlap < 0.87), (shape, other, overlap)


def test_ring_is_open_and_crescent_is_lopsided() -> None:
    assert not coverage(lone(Shape.RING, Colour.BLACK))[118:138, 118:138].any()
    crescent = coverage(lone(Shape.CRESCENT, Colour.BLACK))
    assert crescent[:, :128].sum() > 1.2 * crescent[:, 128:].sum()


def test_outlines_fill_the_unit_circle() -> None:
    assert set(OUTLINES) == set(Shape)
    for outline in OUTLINES.values():
        assert np.linalg.norm(outline.edge, axis=1).max() == pytest.approx(1.0)


def test_edges_are_smoothed() -> None:
    grey = np.asarray(render(lone(Shape.CIRCLE, Colour.BLACK), 64, seed=0).convert("L"))
    assert ((grey > 60) & (grey < 200)).sum() > 30


@pytest.mark.parametrize("size", [8, 5000, (64, 8), (5000, 64)])
def test_size_out_of_range_is_refused(size: int | tuple[int, int]) -> None:
    with pytest.raises(DatasetError, match=r"(width|height) \d+ is out of range: choose one of 16\.\.1024"):
        render(sample_scene(0, 0), size, seed=0)
