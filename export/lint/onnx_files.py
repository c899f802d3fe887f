"""The files beside an ONNX file that hold its weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from pocketclip.export.artifact.paths import check_no_links
from pocketclip.export.errors import ArtifactError
from pocketclip.export.lint.onnx_types import inner_graphs


def external_files(path: Path) -> tuple[Path, ...]:
    """Those that exist below the file's folder, each once, links left out. None is opened; errors are onnx's own."""
    model = onnx.load(path, load_external_data=False)
    locations = dict.fromkeys(_locations(model.graph))
    locations |= dict.fromkeys(each for function in model.functions for each in _locations_of_nodes(function.node))
    return tuple(path.parent / each for each in locations if _is_inside(path.parent, each))


def _is_inside(folder: Path, location: str) -> bool:
    try:
        check_no_links(folder, [location], error=ArtifactError)
        return (folder / location).is_file()
    except (ArtifactError, OSError, ValueError):
        return False


def _locations(graph: Any) -> Iterator[str]:
    for tensor in graph.initializer:
        yield from _location(tensor)
    for sparse in graph.sparse_initializer:
        yield from _location(sparse.values)
    yield from _locations_of_nodes(graph.node)


def _locations_of_nodes(nodes: Any) -> Iterator[str]:
    for node in nodes:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                yield from _location(tensor)
        for _, graph in inner_graphs(node):
            yield from _locations(graph)


def _location(tensor: Any) -> Iterator[str]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")
