"""Captions: good grammar, nothing untrue, nothing of the held-out pairs in training."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pocketclip.models.errors import DatasetError
from pocketclip.models.scenes.attributes import (
    HELDOUT_PAIRS,
    Colour,
    Ground,
    GroundStyle,
    Relation,
    Shape,
    Size,
    Texture,
)
from pocketclip.models.scenes.captions import (
    CLASS_TEMPLATES,
    COUNT_WORDS,
    all_words,
    caption,
    class_name,
    class_prompts,
    plural,
    sample_caption,
)
from pocketclip.models.scenes.scene import Background, Scene, SceneKind, SceneObject, Split, sample_scene

COUNT = 4000
TRAIN = [(sample_scene(0, index), sample_caption(0, index)) for index in range(COUNT)]

RELATION_WORDS = {
    Relation.LEFT_OF: "left of",
    Relation.RIGHT_OF: "right of",
    Relation.ABOVE: "above|over",
    Relation.BELOW: "below|under",
    Relation.INSIDE: "inside|within",
    Relation.AROUND: "around|surrounding",
}


def foreground(text: str) -> str:
    """The caption without its background, whose colour is not that of an object."""
    return re.split(r" (?:on|against) (?:a )?(?:light|dark|white|black|grey)\b", text)[0]


def test_a_sample_has_one_caption_and_a_scene_many() -> None:
    assert [sample_caption(0, index) for index in reversed(range(100))][::-1] == [t for _, t in TRAIN[:100]]
    scene = sample_scene(0, 0)
    assert len({caption(scene, np.random.default_rng(seed)) for seed in range(200)}) > 20


def test_articles_fit_the_word_that_follows() -> None:
    for _, text in TRAIN:
        assert not re.search(r"\ba [aeiou]", text), text
        assert not re.search(r"\ban [^aeiou]", text), text
    assert any("an orange" in text for _, text in TRAIN)


def test_captions_are_tidy() -> None:
    for _, text in TRAIN:
        assert re.fullmatch(r"[a-z]+( [a-z]+)*\.?", text), text


def test_nouns_are_plural_with_a_count_and_only_then() -> None:
    plurals = "|".join(plural(noun) for noun in [*Shape, "shape"])
    for scene, text in TRAIN:
        several = re.search(rf"\b({plurals})\b", text) is not None
        assert several == (scene.kind is SceneKind.COUNT), text
        if several:
            assert re.search(rf"\b{COUNT_WORDS[len(scene.objects) - 1]}\b", text), text
            assert not re.match(r"there is|this is|a (small|large|plain|dotted)", text), text


def test_plural_of_a_cross() -> None:
    assert plural("cross") == "crosses"
    assert plural("star") == "stars"


def test_attributes_named_are_those_of_the_objects() -> None:
    for scene, text in TRAIN:
        words = set(re.findall("[a-z]+", foreground(text)))
        assert words & set(Colour) <= {item.colour for item in scene.objects}, text
        assert words & set(Size) <= {item.size for item in scene.objects}, text
        assert words & set(Texture) <= {item.texture for item in scene.objects}, text
        shapes = {plural(item.shape) if scene.kind is SceneKind.COUNT else item.shape for item in scene.objects}
        assert words & {*Shape, *map(plural, Shape)} <= shapes, text


def test_background_named_is_that_of_the_scene() -> None:
    named = 0
    for scene, text in TRAIN:
        behind = re.search(r"(?:on|against) (?:a )?((?:light|dark|white|black|grey)(?: [a-z]+)?)", text)
        if behind:
            named += 1
            said = behind[1].removesuffix(" background")
            assert said in (scene.background.ground, scene.background.ground.split()[0]) or (
                (said, scene.background.ground) in {("light", "white"), ("dark", "black")}
            ), text
    assert named > COUNT / 10


def test_relation_told_agrees_with_the_coordinates() -> None:
    told: set[Relation] = set()
    for scene, text in TRAIN:
        matches = [each for each, words in RELATION_WORDS.items() if re.search(rf"\b({words})\b", text)]
        if scene.kind is not SceneKind.RELATION:
            assert not matches, text
            continue
        if not matches:
            assert " and " in text
            continue
        (relation,) = matches
        told.add(relation)
        head, tail = re.split(rf"\b(?:to the )?(?:{RELATION_WORDS[relation]})\b", foreground(text))
        # Keep the captions whose two sides fit one object each; the rest leave too much out to tell.
        orders = [pair for pair in (scene.objects, scene.objects[::-1]) if fits(head, pair[0]) and fits(tail, pair[1])]
        assert orders, text
        if len(orders) == 1:
            assert holds(relation, *orders[0]), text
    assert told == set(Relation)


def fits(phrase: str, item: SceneObject) -> bool:
    """Whether every attribute in the phrase is the object's."""
    words = set(phrase.split())
    vocabulary = ((Colour, item.colour), (Shape, item.shape), (Size, item.size), (Texture, item.texture))
    return all(words & set(members) <= {own} for members, own in vocabulary)


def holds(relation: Relation, first: SceneObject, second: SceneObject) -> bool:
    """Whether the relation is true of the first object, judged by geometry alone."""
    dx, dy = second.x - first.x, second.y - first.y
    nested = max(abs(dx), abs(dy)) < abs(first.radius - second.radius)
    return {
        Relation.LEFT_OF: not nested and dx > abs(dy),
        Relation.RIGHT_OF: not nested and -dx > abs(dy),
        Relation.ABOVE: not nested and dy > abs(dx),
        Relation.BELOW: not nested and -dy > abs(dx),
        Relation.INSIDE: nested and first.radius < second.radius,
        Relation.AROUND: nested and first.radius > second.radius,
    }[relation]


def test_position_told_agrees_with_the_scene() -> None:
    told = 0
    for scene, text in TRAIN:
        place = re.search(r"(?:at|on|in|near) the ([a-z]+(?: left| right)?)", text)
        if scene.position is None:
            assert place is None, text
        elif place:
            told += 1
            assert place[1].replace("middle", "center") == scene.position, text
    assert told > 100


@pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
def test_held_out_pairs_are_never_named_in_seen_splits(split: Split) -> None:
    textures = "|".join(Texture)
    pairs = "|".join(f"{colour} (?:(?:{textures}) )?{shape}(?:s|es)?" for colour, shape in HELDOUT_PAIRS)
    pattern = re.compile(rf"\b(?:{pairs})\b")
    assert pattern.search("a red striped circle")
    for index in range(COUNT):
        text = sample_caption(0, index, split)
        assert not pattern.search(text), text


def test_every_caption_and_prompt_is_made_of_all_words() -> None:
    words = all_words()
    texts = [text for _, text in TRAIN]
    texts += [sample_caption(0, index, Split.HELDOUT) for index in range(500)]
    texts += [prompt for colour in Colour for shape in Shape for prompt in class_prompts(class_name(colour, shape))]
    said = {word for text in texts for word in re.findall("[a-z]+", text)}
    assert said == words


def test_class_prompts_fill_every_template_with_the_right_article() -> None:
    prompts = class_prompts(class_name(Colour.ORANGE, Shape.RING))
    assert 5 <= len(CLASS_TEMPLATES) <= 8
    assert len(set(prompts)) == len(CLASS_TEMPLATES)
    assert "a photo of an orange ring" in prompts
    assert class_prompts("red circle")[0] == "a red circle"


def test_nothing_but_the_attributes_of_an_object_decides_its_caption() -> None:
    item = SceneObject(Shape.HEART, Colour.PINK, Size.SMALL, Texture.STRIPED, 0.5, 0.5, 0.14)
    scene = Scene(SceneKind.SINGLE, (item,), Background(Ground.BLACK, GroundStyle.PLAIN))
    moved = replace(scene, objects=(replace(item, x=0.3),))
    assert caption(scene, np.random.default_rng(1)) == caption(moved, np.random.default_rng(1))


def test_unknown_split_is_refused() -> None:
    with pytest.raises(DatasetError, match="unknown split"):
        sample_caption(0, 0, "everything")
