"""What identifies a record and what was judged, by the names that the store and CSV files have for it."""

from __future__ import annotations

from pocketclip.benchmark.records.benchmark import BenchmarkRecord
from pocketclip.benchmark.records.farm import FarmRecord
from pocketclip.benchmark.store.codec import Record


def identity(record: Record) -> dict[str, str | None]:
    """The same names for all kinds of records, None where one has no such thing."""
    if isinstance(record, BenchmarkRecord | FarmRecord):
        return {
            "record_id": record.record_id,
            "kind": record.kind,
            "created_at": record.created_at,
            "model": record.artifact.model,
            "target": record.artifact.target.value,
            "precision": record.artifact.precision.value,
            "scheme": record.artifact.scheme or None,
            "tower": record.artifact.tower.value,
            "device": record.device.name if isinstance(record, BenchmarkRecord) else record.place,
            "instance": record.device.instance if isinstance(record, BenchmarkRecord) else None,
            "tag": record.tag,
        }
    return {
        "record_id": record.record_id,
        "kind": record.kind,
        "created_at": record.created_at,
        "model": record.model,
        "target": None if record.target is None else record.target.value,
        "precision": record.precision.value,
        **dict.fromkeys(("scheme", "tower", "device", "instance", "tag")),
    }
