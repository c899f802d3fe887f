"""Which code the hash of artefacts covers."""

from __future__ import annotations

from pocketclip.export.artifact.source import UNRELATED
from pocketclip.export.targets import TARGETS


def test_nothing_that_an_export_imports_is_left_out() -> None:
    import grimp

    graph = grimp.build_graph("pocketclip", cache_dir=None)
    begins = {"pocketclip.export.jobs.worker_process", *(row.module for row in TARGETS.values())}
    needed = begins.union(*(graph.find_upstream_modules(each) for each in begins))
    for package, unrelated in UNRELATED.items():
        for room in unrelated:
            name = f"pocketclip.{package}.{room.removesuffix('.py')}"
            assert name in graph.modules, f"{name} is no module any more"
            assert not [each for each in needed if each == name or each.startswith(f"{name}.")], name
