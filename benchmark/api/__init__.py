"""The public functions about measuring; `pocketclip` names them."""

from pocketclip.benchmark.api.benching import BenchOptions, bench
from pocketclip.benchmark.api.comparing import compare, compare_with_baseline
from pocketclip.benchmark.api.evaluating import EvaluateOptions, evaluate
from pocketclip.benchmark.api.reporting import report
from pocketclip.benchmark.api.stores import RecordStore, log_left_out, open_store, read_store

__all__ = [
    "BenchOptions",
    "EvaluateOptions",
    "RecordStore",
    "bench",
    "compare",
    "compare_with_baseline",
    "evaluate",
    "log_left_out",
    "open_store",
    "read_store",
    "report",
]
