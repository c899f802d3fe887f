"""Scenes: determinism, the held-out pairs, and layouts that keep what they promise."""

from __future__ import annotations

from math import hypot

import pytest

from pocketclip.models.errors import DatasetError
from pocketclip.models.scenes.attributes import (
    COLOUR_RGB,
    GROUND_RGB,
    HELDOUT_PAIRS,
    PAIRS,
    RADIUS_RANGE,
    SEEN_PAIRS,
    Colour,
    Ground,
    GroundStyle,
    Position,
    Relation,
    Shape,
    Size,
    Texture,
    contrast,
)
from pocketclip.models.scenes.render import MAX_SCALE
from pocketclip.models.scenes.scene import (
    Background,
    Scene,
    SceneKind,
    SceneObject,
    Split,
    Stream,
    sample_rng,
    sample_scene,
)

TRAIN = [sample_scene(0, index, Split.TRAIN) for index in range(4000)]
HELDOUT = [sample_scene(0, index, Split.HELDOUT) for index in range(480)]


def test_a_sample_does_not_depend_on_what_was_sampled_before() -> None:
    backwards = [sample_scene(0, index) for index in reversed(range(200))]
    assert backwards[::-1] == TRAIN[:200]


def test_samples_differ_by_index_seed_and_split() -> None:
    assert len(set(TRAIN)) == len(TRAIN)
    assert not set(TRAIN[:300]) & {sample_scene(1, index) for index in range(300)}
    assert not set(TRAIN) & {sample_scene(0, index, Split.VALIDATION) for index in range(1000)}


def test_streams_of_one_sample_differ() -> None:
    drawn = {sample_rng(3, Split.TRAIN, 5, stream).random() for stream in Stream}
    assert len(drawn) == len(Stream)


def test_a_fifth_of_the_pairs_is_held_out_and_no_attribute_goes_missing() -> None:
    assert len(PAIRS) == len(set(PAIRS)) == len(Colour) * len(Shape)
    assert set(HELDOUT_PAIRS) | set(SEEN_PAIRS) == set(PAIRS)
    assert not set(HELDOUT_PAIRS) & set(SEEN_PAIRS)
    assert len(HELDOUT_PAIRS) == pytest.approx(len(PAIRS) / 5)
    assert {colour for colour, _ in SEEN_PAIRS} == set(Colour)
    assert {shape for _, shape in SEEN_PAIRS} == set(Shape)


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
def test_seen_splits_show_every_seen_pair_and_no_held_out_one(split: Split) -> None:
    scenes = (sample_scene(0, index, split) for index in range(4000))
    assert {item.pair for scene in scenes for item in scene.objects} == set(SEEN_PAIRS)


def test_held_out_split_shows_each_held_out_pair_equally_often_and_alone() -> None:
    pairs = [scene.objects[0].pair for scene in HELDOUT]
    assert {pair: pairs.count(pair) for pair in pairs} == dict.fromkeys(HELDOUT_PAIRS, 20)
    assert all(len(scene.objects) == 1 for scene in HELDOUT)
    assert {scene.kind for scene in HELDOUT} == {SceneKind.SINGLE, SceneKind.POSITION}
    assert {scene.objects[0].size for scene in HELDOUT} == set(Size)
    assert {scene.background.ground for scene in HELDOUT} == set(Ground)


def test_training_shows_every_member_of_the_vocabulary() -> None:
    items = [item for scene in TRAIN for item in scene.objects]
    assert {scene.kind for scene in TRAIN} == set(SceneKind)
    assert {scene.relation for scene in TRAIN} == {*Relation, None}
    assert {scene.position for scene in TRAIN} == {*Position, None}
    assert {scene.background.ground for scene in TRAIN} == set(Ground)
    assert {scene.background.style for scene in TRAIN} == set(GroundStyle)
    assert {item.texture for item in items} == set(Texture)
    assert {len(scene.objects) for scene in TRAIN} == {1, 2, 3, 4}


def test_size_word_holds_for_every_radius() -> None:
    assert RADIUS_RANGE[Size.SMALL][1] * (1 + MAX_SCALE) < RADIUS_RANGE[Size.LARGE][0] * (1 - MAX_SCALE)
    for item in (item for scene in TRAIN + HELDOUT for item in scene.objects):
        least, most = RADIUS_RANGE[item.size]
        assert least <= item.radius <= most


def test_objects_lie_in_the_image_and_apart() -> None:
    for scene in TRAIN + HELDOUT:
        for item in scene.objects:
            assert item.radius <= min(item.x, item.y, 1 - item.x, 1 - item.y)
        if scene.relation in (Relation.INSIDE, Relation.AROUND):
            continue
        for place, one in enumerate(scene.objects):
            for other in scene.objects[:place]:
                distance = hypot(one.x - other.x, one.y - other.y)
                assert distance >= one.radius + other.radius


def test_relation_agrees_with_the_coordinates() -> None:
    for scene in TRAIN:
        if scene.relation is None:
            continue
        first, second = scene.objects
        dx, dy = first.x - second.x, first.y - second.y
        match scene.relation:
            case Relation.LEFT_OF:
                assert dx < 0 and abs(dy) < 0.5 * -dx
            case Relation.RIGHT_OF:
                assert dx > 0 and abs(dy) < 0.5 * dx
            case Relation.ABOVE:
                assert dy < 0 and abs(dx) < 0.5 * -dy
            case Relation.BELOW:
                assert dy > 0 and abs(dx) < 0.5 * dy
            case Relation.INSIDE:
                assert hypot(dx, dy) + first.radius < 0.5 * second.radius
            case Relation.AROUND:
                assert hypot(dx, dy) + second.radius < 0.5 * first.radius
        assert first.pair != second.pair


def test_position_agrees_with_the_coordinates() -> None:
    for scene in TRAIN + HELDOUT:
        if scene.position is None:
            continue
        item, words = scene.objects[0], scene.position.split()
        assert ("left" in words) == (item.x < 0.4) and ("right" in words) == (item.x > 0.6)
        assert ("top" in words) == (item.y < 0.4) and ("bottom" in words) == (item.y > 0.6)


def test_count_scenes_repeat_one_object() -> None:
    for scene in TRAIN:
        if scene.kind is SceneKind.COUNT:
            assert len({(item.pair, item.size, item.texture, item.radius) for item in scene.objects}) == 1


def test_objects_stand_out_from_what_is_behind_them() -> None:
    for scene in TRAIN + HELDOUT:
        nested = scene.relation in (Relation.INSIDE, Relation.AROUND)
        outer = max(scene.objects, key=lambda item: item.radius)
        for item in scene.objects:
            behind = COLOUR_RGB[outer.colour] if nested and item is not outer else GROUND_RGB[scene.background.ground]
            assert contrast(COLOUR_RGB[item.colour], behind) > 150


def test_relations_have_an_inverse() -> None:
    for relation in Relation:
        assert relation.inverse is not relation
        assert relation.inverse.inverse is relation


def test_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match=r"'test'.*train, validation, heldout"):
        sample_scene(0, 0, "test")


@pytest.mark.parametrize(("seed", "index", "name"), [(-1, 0, "seed"), (2**32, 0, "seed"), (0, -1, "index")])
def test_seed_and_index_out_of_range_are_refused(seed: int, index: int, name: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name} -?\d+ is out of range"):
        sample_scene(seed, index)


def test_a_scene_that_contradicts_its_kind_is_refused() -> None:
    item = SceneObject(Shape.STAR, Colour.RED, Size.SMALL, Texture.PLAIN, 0.5, 0.5, 0.14)
    ground = Background(Ground.WHITE, GroundStyle.PLAIN)
    with pytest.raises(DatasetError, match="0 objects"):
        Scene(SceneKind.SINGLE, (), ground)
    with pytest.raises(DatasetError, match="position left"):
        Scene(SceneKind.SINGLE, (item,), ground, position=Position.LEFT)
    with pytest.raises(DatasetError, match="relation None"):
        Scene(SceneKind.RELATION, (item, item), ground)
