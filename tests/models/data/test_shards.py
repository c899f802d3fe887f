"""Tar shards are indexed to where they are whole; URLs are fetched whole or not at all."""

from __future__ import annotations

import errno
import functools
import http.client
import http.server
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pocketclip.models.data import shard_cache
from pocketclip.models.data.opening import open_batches
from pocketclip.models.data.shard_cache import default_cache, local_shard
from pocketclip.models.data.shards import index_shard, read_members, split_name
from pocketclip.models.errors import DatasetError, StorageError
from pocketclip.models.registry import load_config


@pytest.fixture
def shard(tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]) -> Path:
    return shard_writer(tmp_path / "s.tar", {f"k{n}": sample_maker.reinforced(n) for n in range(4)})


def test_members_by_offset(shard: Path, sample_maker: Any) -> None:
    index = index_shard(shard)
    assert index.fault is None
    assert [sample.key for sample in index.samples] == ["k0", "k1", "k2", "k3"]
    expected = {kind: data for kind, data in sample_maker.reinforced(2).items() if kind != "json"}
    found = read_members(shard, index.samples[2].members)
    assert found.keys() == expected.keys()
    assert found["png"] == expected["png"] and found["syn.json"] == expected["syn.json"]


def test_names() -> None:
    assert split_name("a/b.c/0001.SYN.json") == ("a/b.c/0001", "syn.json")
    assert split_name("0001") == ("0001", "")


def test_groups_without_known_members_are_no_samples(tmp_path: Path, shard_writer: Callable[..., Path]) -> None:
    path = shard_writer(tmp_path / "x.tar", {"notes": {"md": b"x"}, "a": {"txt": b"y"}})
    assert [sample.key for sample in index_shard(path).samples] == ["a"]


def test_cut_shard_keeps_what_is_whole(shard: Path) -> None:
    whole = index_shard(shard)
    content = shard.read_bytes()
    starts = [min(offset for offset, _ in sample.members.values()) - 512 for sample in whole.samples]
    for length in (*range(1, len(content) - 10_000, 700), *starts[1:]):
        shard.write_bytes(content[:length])
        cut = index_shard(shard)
        assert cut.fault is not None
        # Never a sample that is not whole, and at most the last whole one is given up.
        complete = sum(start <= length for start in starts[1:])
        assert complete - 1 <= len(cut.samples) <= complete
        assert cut.samples == whole.samples[: len(cut.samples)]


def test_damaged_header_is_no_silent_end(shard: Path) -> None:
    whole = index_shard(shard)
    at = min(offset for offset, _ in whole.samples[2].members.values()) - 512
    content = bytearray(shard.read_bytes())
    content[at : at + 512] = b"\xff" * 512
    shard.write_bytes(content)
    damaged = index_shard(shard)
    assert damaged.fault is not None and "after 1 samples" in damaged.fault


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(2000)])
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    assert index_shard(path).samples == ()
    assert "not a readable tar file" in (index_shard(path).fault or "")


def test_file_that_shrank(shard: Path) -> None:
    last = index_shard(shard).samples[-1]
    os.truncate(shard, 1000)
    with pytest.raises(DatasetError, match="ends within the member"):
        read_members(shard, last.members)
    shard.unlink()
    with pytest.raises(DatasetError, match="cannot read"):
        read_members(shard, last.members)


class FaultyServer(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; the first answers for `cut.tar` end early, those for `busy.tar` are refused at first."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        times = self.asked.count(self.path)
        if self.path == "/always-cut.tar" or (self.path == "/cut.tar" and times == 1):
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        elif self.path == "/busy.tar" and times < 3:
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(shard: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("cut.tar", "busy.tar"):
        (shard.parent / name).write_bytes(shard.read_bytes())
    FaultyServer.asked.clear()
    monkeypatch.setattr(shard_cache, "_PAUSE_S", 0.01)
    handler = functools.partial(FaultyServer, directory=str(shard.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_fetched_once(server: str, shard: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for _ in range(2):
        assert local_shard(f"{server}/s.tar", cache).read_bytes() == shard.read_bytes()
    assert FaultyServer.asked == ["/s.tar"]


@pytest.mark.parametrize("name", ["cut.tar", "busy.tar"])
def test_passing_faults_are_tried_again(server: str, shard: Path, tmp_path: Path, name: str) -> None:
    assert local_shard(f"{server}/{name}", tmp_path / "cache").read_bytes() == shard.read_bytes()


@pytest.mark.parametrize("fault", [ssl.SSLEOFError(8, "EOF occurred"), OSError(errno.EHOSTUNREACH, "No route to host")])
def test_a_connection_that_breaks_while_it_is_read_is_tried_again(
    server: str, shard: Path, tmp_path: Path, fault: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = http.client.HTTPResponse.read

    def read(response: http.client.HTTPResponse, amount: int | None = None) -> bytes:
        if len(FaultyServer.asked) == 1:
            raise fault
        return whole(response, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", read)
    assert local_shard(f"{server}/s.tar", tmp_path / "cache").read_bytes() == shard.read_bytes()
    assert len(FaultyServer.asked) == 2


def test_a_full_disk_is_no_fault_of_the_network(
    server: str, shard: Path, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    (shard.parent / "small.tar").write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match="File too large"), full_disk(1000):
        local_shard(f"{server}/small.tar", tmp_path / "cache")
    assert len(FaultyServer.asked) == 1


@pytest.mark.parametrize(
    ("name", "complaint", "tries"),
    [("none.tar", "HTTP 404", 1), ("always-cut.tar", "stopped after 100 of 5000 bytes", 3)],
)
def test_lasting_faults(server: str, tmp_path: Path, name: str, complaint: str, tries: int) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(DatasetError, match=complaint):
        local_shard(f"{server}/{name}", cache)
    assert len(FaultyServer.asked) == tries
    assert not cache.exists() or not list(cache.iterdir())


def test_stream_of_urls_is_that_of_files(
    server: str, tmp_path: Path, sample_maker: Any, shard_writer: Callable[..., Path]
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        samples = {f"{n}": sample_maker.plain(n) for n in range(number * 10, number * 10 + 10)}
        shard_writer(folder / f"{number}.tar", samples)
    (folder / "3.tar").unlink()

    def serve(place: str) -> list[int]:
        config = load_config("pocketclip_nano")
        source = f"webdataset:{place}/many/{{0..5}}.tar"
        with closing(
            open_batches(source, config=config, batch_size=20, seed=1, workers=1, cache=tmp_path / "cache")
        ) as batches:
            shown = [caption for _ in range(6) for caption in batches.next_batch().caption_ids.tolist()]
            assert {skipped.name.rsplit("/", 1)[-1] for skipped in batches.skipped} == {"3.tar"}
        return shown

    assert serve(server) == serve(str(tmp_path))
    assert len(list((tmp_path / "cache").glob("*.tar"))) == 5


def test_no_server_and_no_room(server: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot fetch http://127.0.0.1:9/x.tar"):
        local_shard("http://127.0.0.1:9/x.tar", tmp_path)
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(StorageError, match="cannot write"):
        local_shard(f"{server}/s.tar", tmp_path / "taken")


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("POCKETCLIP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "pocketclip" / "shards"
    monkeypatch.setenv("POCKETCLIP_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own" / "shards"
