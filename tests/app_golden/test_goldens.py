"""The committed golden files are those that the sources make now."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.app_golden import make


def test_the_golden_files_are_made_anew_the_same(tmp_path: Path) -> None:
    make.write_all(tmp_path)
    made, committed = make.made_files(tmp_path), make.made_files(make.FOLDER)
    assert made.keys() == committed.keys()
    assert [name for name, content in made.items() if content != committed[name]] == []
    assert sum(map(len, committed.values())) < 2_000_000


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("float32", "float32"), ("int32", "int32"), ("uint8", "uint8"), ("second_graph", "int32")],
)
def test_litert_itself_runs_what_the_app_must_take(name: str, dtype: str) -> None:
    """So the files are sound, and the first signature is what the app takes it for."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=(make.FOLDER / "litert" / f"{name}.tflite").read_bytes())
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)
    given = np.arange(250, 256).astype(dtype).reshape(1, 2, 3)
    (taken,) = run.get_input_details()
    (output,) = run(**{taken: given}).values()
    assert output.dtype == np.float32
    assert np.array_equal(output, given)
