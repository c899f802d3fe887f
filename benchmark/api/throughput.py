"""Throughput: photographs a second that become embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pocketclip.benchmark.errors import OptionError
from pocketclip.export.api import Artifact, folders_of
from pocketclip.models.progress import OnProgress, silent

if TYPE_CHECKING:
    from pocketclip.benchmark.records.throughput import ThroughputRecord

# As long as the apps go on.
LONGEST_SECONDS = 3600.0


def bench_throughput(
    photos: str | Path,
    artifacts: Sequence[Artifact | str | Path] | Artifact | str | Path,
    device: str = "host",
    *,
    threads: str | int | Sequence[str | int] = 1,
    decoders: str | int | Sequence[str | int] = 1,
    launches: int = 5,
    seconds: float = 5.0,
    accelerator: str | None = None,
    cooldown: float = 30.0,
    timeout: float = 300.0,
    wait: float = 0.0,
    app: str | Path | None = None,
    devices: str | Path | None = None,
    out: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> list[ThroughputRecord]:
    """Measures how many photographs a second become embeddings on a device: decoded, resized and encoded.

    Each launch is a process of its own; the launches of all artefacts and settings take turns.

    Args:
        photos: a folder of photographs; the first 256 that can be read are used, on phones the first 64.
        artifacts: artefacts of image towers, folders of artefacts, or bundles, whose image towers are measured.
        device: a name from `pocketclip devices`: this computer, or a phone that the app measures on.
        threads: threads of the runtime, one or several numbers, or `all`.
        decoders: threads that decode and resize beside it, likewise.
        launches: processes for each setting; from five on, there is an interval.
        seconds: how long each process encodes, at most 3600.
        accelerator: as in `BenchOptions`; None takes the usual one.
        cooldown: the most seconds to wait, before each launch, for the device to cool down and go idle.
        timeout: the most seconds that a launch may take beyond `seconds`.
        wait: seconds to wait for a device that another bench is using.
        app: the measuring app for phones, as in `BenchOptions`.
        devices: a table of devices, as in `BenchOptions`.
        out: a JSON file for the records, written after every launch; None writes none.
        on_progress: called with each launch.

    Returns:
        A record for each artefact and setting. A failure has its `reason` and raises nothing.

    Raises:
        OptionError: a number is not allowed, the folder holds no photograph, or no image tower can be timed there.
        ArtifactNotFoundError: a path holds no artefact.
        UnknownDeviceError: no table knows the device.
        DeviceUnsupportedError: no throughput can be measured there; the message says where it can.
        DeviceNotFoundError and others: the device cannot be reached.
        StorageError: the file cannot be written.
    """
    import json
    import logging
    from contextlib import ExitStack

    from pocketclip.benchmark.api.bench_options import BenchOptions
    from pocketclip.benchmark.api.benching import LaunchWatch
    from pocketclip.benchmark.api.devices import known_devices
    from pocketclip.benchmark.devices import open_device
    from pocketclip.benchmark.devices.leases import lease
    from pocketclip.benchmark.devices.table import TransportName, find_entry
    from pocketclip.benchmark.measuring.bundled_artifacts import measurable_artifacts
    from pocketclip.benchmark.measuring.option_values import parse_accelerator, parse_threads
    from pocketclip.benchmark.measuring.throughput import ThroughputPlan, image_artifacts, measure
    from pocketclip.benchmark.records.benchmark import DEVICE_DEFAULT, RunSettings
    from pocketclip.benchmark.runners.photo_folder import HERE, ON_PHONES, read_photos
    from pocketclip.models import atomic, documents

    if launches < 1 or not 0 < seconds <= LONGEST_SECONDS:
        raise OptionError(
            f"throughput needs launches above zero and seconds above zero up to {LONGEST_SECONDS:g}, "
            f"got {launches} and {seconds:g}"
        )
    BenchOptions(launches=launches, cooldown=cooldown, timeout=timeout, wait=wait)
    chosen = parse_accelerator(accelerator) if accelerator else DEVICE_DEFAULT
    log = logging.getLogger("pocketclip.benchmark")
    table = known_devices(devices)
    here = find_entry(device, table).transport is TransportName.LOCAL
    with ExitStack() as held:
        found = held.enter_context(measurable_artifacts(folders_of(artifacts)))
        opened = open_device(
            device, table, say=lambda words: log.info("%s", words), app=None if app is None else Path(app)
        )
        opened.check_throughput()
        watch = LaunchWatch(on_progress)
        images = image_artifacts(found, opened, watch)
        folder = read_photos(Path(photos), HERE if here else ON_PHONES)
        if folder.left_out:
            log.warning("%s: %s", photos, folder.left_out)
        held.enter_context(lease(opened.lease_key, name=device, wait_seconds=wait))
        opened.check()
        cores = opened.facts().logical_cores
        plan = ThroughputPlan(
            images,
            folder,
            [
                opened.settings(RunSettings(threads=each, launches=launches, accelerator=chosen))
                for each in parse_threads(threads, cores)
            ],
            parse_threads(decoders, cores, option="--decoders"),
            launches,
            float(seconds),
            timeout,
            cooldown,
        )
        watch.more(len(images) * len(plan.settings) * len(plan.decoders) * launches)

        def keep(records: list[ThroughputRecord]) -> None:
            if out is not None:
                content = [documents.to_builtin(record) for record in records]
                atomic.write_text(Path(out), json.dumps(content, indent=2, allow_nan=False) + "\n")

        return measure(plan, opened, watch=watch, on_records=keep)
