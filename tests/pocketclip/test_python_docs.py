"""Every block of docs/python.md runs, in order, in an empty folder; so do the examples."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "docs/python.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    # Processes that are spawned import the main module again.
    program = tmp_path / "page.py"
    body = "\n".join(BLOCKS)
    program.write_text("def main():\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "\n\n"
                       "if __name__ == '__main__':\n    main()\n")  # fmt: skip
    ended = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "untrained |" in ended.stdout
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_page_shows_every_public_name() -> None:
    import pocketclip

    page = "\n".join(BLOCKS)
    shown = {name for name in pocketclip.__all__ if name in page}
    # What the functions on the page return or take.
    returned = {"Artifact", "Bundle", "Model", "Progress", "RecordStore", "ExportOptions", "EvaluateOptions"}
    others = {"compare_with_baseline", "find_artifacts", "inspect", "classify", "reinforce"}
    others |= {"build_app", "check_app", "emulated_phone", "merge_records", "build_pictures", "build_vocabulary"}
    others |= {"index_photos", "search_photos", "similar_photos", "bench_throughput", "bench_farm"}
    others |= {"tune", "open_study", "TuneOptions", "TunedStudy"}
    others |= {"bench_fleet", "fleet_status"}
    assert shown | returned | others == set(pocketclip.__all__)
