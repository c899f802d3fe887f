"""The public functions about measuring; `pocketclip` names them."""

from pocketclip.benchmark.api.apps import CheckedApp, check_app
from pocketclip.benchmark.api.bench_options import BenchOptions
from pocketclip.benchmark.api.benching import bench
from pocketclip.benchmark.api.comparing import compare, compare_with_baseline
from pocketclip.benchmark.api.devices import (
    EmulatedPhone,
    ListedDevices,
    build_app,
    check_device,
    emulated_phone,
    list_devices,
)
from pocketclip.benchmark.api.evaluating import EvaluateOptions, evaluate
from pocketclip.benchmark.api.farms import bench_farm
from pocketclip.benchmark.api.fleet import FleetOutcome, bench_fleet, join_fleet, start_fleet
from pocketclip.benchmark.api.fleet_state import FleetStatus, drain_device, fleet_status, resume_device
from pocketclip.benchmark.api.record_files import (
    ImportedRecords,
    StoreCheck,
    check_store,
    file_format,
    import_records,
    merge_records,
    render_records,
    write_records,
)
from pocketclip.benchmark.api.reporting import report
from pocketclip.benchmark.api.stores import RecordStore, log_left_out, open_store, read_store, shown_location
from pocketclip.benchmark.api.throughput import bench_throughput

__all__ = [
    "BenchOptions",
    "CheckedApp",
    "EmulatedPhone",
    "EvaluateOptions",
    "FleetOutcome",
    "FleetStatus",
    "ImportedRecords",
    "ListedDevices",
    "RecordStore",
    "StoreCheck",
    "bench",
    "bench_farm",
    "bench_fleet",
    "bench_throughput",
    "build_app",
    "check_app",
    "check_device",
    "check_store",
    "compare",
    "compare_with_baseline",
    "drain_device",
    "emulated_phone",
    "evaluate",
    "file_format",
    "fleet_status",
    "import_records",
    "join_fleet",
    "list_devices",
    "log_left_out",
    "merge_records",
    "open_store",
    "read_store",
    "render_records",
    "report",
    "resume_device",
    "shown_location",
    "start_fleet",
    "write_records",
]
