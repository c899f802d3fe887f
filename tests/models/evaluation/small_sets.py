"""Small data sets in their published layouts, and an encoder that reads the class from an image's colour."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pocketclip.models.evaluation.encoders import EncoderIdentity
from pocketclip.models.pixels.preprocess import PreprocessSpec

SIZE = 8


def picture(value: int, size: tuple[int, int] = (12, 10)) -> Image.Image:
    """One colour that tells `value`, below 4096, in steps that lossless files keep."""
    return Image.new("RGB", size, (value // 256 * 16, value // 16 % 16 * 16, value % 16 * 16))


def value_of(pixels: np.ndarray) -> int:
    """The `value` of a picture after preprocessing: `(3, S, S)` in [0, 1]."""
    red, green, blue = (round(float(channel) * 255 / 16) for channel in pixels.mean((1, 2)))
    return red * 256 + green * 16 + blue


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG")


class ColourEncoder:
    """Knows pictures by their value and sentences by the number that `meaning` finds in them, one-hot in `dim`."""

    def __init__(self, meaning: Callable[[str], int], dim: int = 1000, batch_size: int = 4, name: str = "m") -> None:
        self.meaning = meaning
        self.dim = dim
        self.batch_size = batch_size
        self.preprocess = PreprocessSpec(SIZE)
        self.identity = EncoderIdentity(f"{name}-image", f"{name}-text", "inputs", "test")
        self.texts = 0
        self.images = 0

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        self.images += len(images)
        return np.eye(self.dim, dtype=np.float32)[[value_of(image) for image in images]]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        return np.eye(self.dim, dtype=np.float32)[[self.meaning(text) for text in texts]]


def write_objectnet(root: Path, imagenet_names: Sequence[str]) -> None:
    """`objectnet-1.0` with three objects: two that ImageNet has (one of them twice) and one that it lacks."""
    mappings = root / "objectnet-1.0" / "mappings"
    mappings.mkdir(parents=True)
    labels = {"zebra_clock": "Zebra Clock", "alarm_clock": "Alarm clock", "air_freshener": "Air freshener"}
    overlap = {
        "Alarm clock": f"{imagenet_names[409]}, one; {imagenet_names[530]}, one",
        "Zebra Clock": f"{imagenet_names[10]}, one",
    }
    # The two numberings of ImageNet differ: here the second one counts backwards.
    ids = {str(index): 999 - index for index in range(1000)}
    lines = [f"{imagenet_names[999 - place]}, one" for place in range(1000)]
    (mappings / "folder_to_objectnet_label.json").write_text(json.dumps(labels))
    (mappings / "objectnet_to_imagenet_1k.json").write_text(json.dumps(overlap))
    (mappings / "pytorch_to_imagenet_2012_id.json").write_text(json.dumps(ids))
    (mappings / "imagenet_to_label_2012_v2").write_text("\n".join(lines) + "\n")
    for place, folder in enumerate(labels):
        image = Image.new("RGB", (20, 16), (255, 0, 0))
        image.paste(picture(place + 1, (16, 12)), (2, 2))
        save(root / "objectnet-1.0" / "images" / folder / "photo.png", image)


def write_shard(path: Path, samples: Sequence[dict[str, bytes]], first: int = 0) -> None:
    """A tar of samples: field to content, keys counting from `first`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for number, fields in enumerate(samples, start=first):
            for suffix, content in fields.items():
                entry = tarfile.TarInfo(f"s{number:04d}.{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def png(value: int) -> bytes:
    stream = io.BytesIO()
    picture(value).save(stream, "PNG")
    return stream.getvalue()
