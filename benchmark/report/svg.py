"""Small pieces of SVG: elements, scales and ticks. Colours come from the page's CSS, by class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from pocketclip.export.precision import TargetName

# Widths in pixels at which each picture is drawn: a page in a browser, and a phone.
WIDE, NARROW = 1080, 342
# Estimates of a letter's size in pixels: an SVG cannot measure its text.
CHARACTER, LINE = 6.6, 15.0


def both_widths(draw: Callable[[int], str | None]) -> tuple[str, ...]:
    """A picture at both widths; none where there is nothing to draw."""
    return tuple(drawn for width in (WIDE, NARROW) if (drawn := draw(width)))


@dataclass(frozen=True)
class Box:
    """A rectangle that something covers."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._warp(self.low), self._warp(self.high)
        return self.start + (self._warp(value) - low) / (high - low) * (self.end - self.start)

    def _warp(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """An element; underscores in attribute names become hyphens and `class_` loses its own."""
    worded = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_number(value))}"' for name, value in attributes.items()
    )
    return f"<{tag}{worded}>{content}</{tag}>" if content else f"<{tag}{worded}/>"


def text(x: float, y: float, content: str, *, class_: str = "", anchor: str = "start") -> str:
    """A line of text whose baseline starts, centres or ends at a point."""
    return element("text", escape(content), x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(width: int, height: float, title: str, parts: Iterable[str], *, class_: str) -> str:
    """The whole image, with a title for those who cannot see it."""
    return element(
        "svg",
        element("title", escape(title)) + "".join(parts),
        viewBox=f"0 0 {width} {_number(height)}",
        width=width,
        height=height,
        class_=class_,
        role="img",
    )


def marker(target: TargetName, x: float, y: float, *, hollow: bool = False, size: float = 6.0) -> str:
    """The target's shape, so that targets are told apart without colour."""
    class_ = f"mark t-{target}" + (" hollow" if hollow else "")
    if target is TargetName.ONNX:
        return element("circle", cx=x, cy=y, r=size * 0.92, class_=class_)
    corners: dict[TargetName, Sequence[tuple[float, float]]] = {
        TargetName.COREML: ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
        TargetName.COREAI: ((0, -1.1), (1.05, -0.34), (0.65, 0.9), (-0.65, 0.9), (-1.05, -0.34)),
        TargetName.EXECUTORCH: ((0, -1.1), (1.05, 0.8), (-1.05, 0.8)),
        TargetName.EXECUTORCH_COREML: ((0, 1.1), (1.05, -0.8), (-1.05, -0.8)),
        TargetName.EXECUTORCH_VULKAN: ((-1.1, 0), (0.8, -1.05), (0.8, 1.05)),
        TargetName.EXECUTORCH_QNN: (
            (0, -1),
            (0.35, -0.35),
            (1, 0),
            (0.35, 0.35),
            (0, 1),
            (-0.35, 0.35),
            (-1, 0),
            (-0.35, -0.35),
        ),
        TargetName.ONNX_QNN: ((1.1, 0), (-0.8, -1.05), (-0.8, 1.05)),
        TargetName.TFLITE_QNN: (
            (-0.35, -1),
            (0.35, -1),
            (0.35, -0.35),
            (1, -0.35),
            (1, 0.35),
            (0.35, 0.35),
            (0.35, 1),
            (-0.35, 1),
            (-0.35, 0.35),
            (-1, 0.35),
            (-1, -0.35),
            (-0.35, -0.35),
        ),
        TargetName.TFLITE_MEDIATEK: ((-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5)),
        TargetName.TFLITE_GOOGLE: ((-0.5, -1), (0.5, -1), (0.5, 1), (-0.5, 1)),
        TargetName.TFLITE_SAMSUNG: ((-1, -0.8), (1, -0.8), (0.45, 0.8), (-0.45, 0.8)),
        TargetName.TFLITE: ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    }
    points = " ".join(f"{_number(x + dx * size)},{_number(y + dy * size)}" for dx, dy in corners[target])
    return element("polygon", points=points, class_=class_)


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between two positive bounds: 1, 2 and 5 times powers of ten, more over a short range."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    candidates = (step * 10.0**exponent for exponent in exponents for step in steps)
    return [value for value in candidates if low <= value <= high]


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values between two bounds, at most `most`."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
