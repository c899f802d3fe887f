"""AI Hub on this computer: its API over HTTP in the messages of the real package `qai_hub`, with its packages.

Started as a program, `python -P hub_server.py STATE PORT-FILE`. `STATE` says what it answers; what is submitted is
kept.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def serve(state_file: Path, port_file: Path) -> None:
    """Serves until it is ended."""
    import h5py  # pyright: ignore[reportMissingImports]
    import numpy as np
    import qai_hub.public_api_pb2 as pb  # pyright: ignore[reportMissingImports]
    from qai_hub.util.dataset_entries_converters import (  # pyright: ignore[reportMissingImports]
        dataset_entries_to_h5,
    )

    jobs: list[Any] = []
    uploaded: dict[str, bytes] = {}

    def state() -> dict[str, Any]:
        return json.loads(state_file.read_text())

    def outputs() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "outputs.h5")
            with h5py.File(file, "w") as h5:
                found = {
                    name: [np.asarray(each, dtype) for each in rows]
                    for name, (dtype, rows) in state()["outputs"].items()
                }
                dataset_entries_to_h5(found, h5)
            return Path(file).read_bytes()

    def job(number: int) -> Any:
        found = pb.Job()
        found.CopyFrom(jobs[number])
        code, reason = state()["states"][-1]
        names = {"SUCCESS": "DONE"}
        found.inference_job.job_state = pb.JobState.Value(f"JOB_STATE_{names.get(code, code)}")
        found.inference_job.failure_reason = reason or ""
        return found

    def detail() -> Any:
        summary = state()["profile"]["execution_summary"]
        found = pb.ProfileDetail(
            major_version=1,
            minor_version=2,
            execution_time=summary["estimated_inference_time"],
            cold_load_time=summary["first_load_time"],
            warm_load_time=summary["warm_load_time"],
            all_execution_times=summary["all_inference_times"],
        )
        found.execution_memory.peak.lower, found.execution_memory.peak.upper = summary["inference_memory_peak_range"]
        layer = found.layer_details.add(name="/MatMul", layer_type_name="MatMul", execution_time=900)
        layer.compute_unit = pb.ComputeUnit.Value("COMPUTE_UNIT_NPU")
        return found

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _path(self) -> list[str]:
            return urlsplit(self.path).path.strip("/").split("/")

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _give(self, message: Any = None, content: bytes = b"", status: int = 200, **headers: str) -> None:
            content = content if message is None else message.SerializeToString()
            self.send_response(status)
            kind = "application/x-protobuf" if message is not None else "application/octet-stream"
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _refused(self, action: str) -> bool:
            allowed = f"token {state()['token']}"
            status = 401 if self.headers.get("Authorization") != allowed else state().get("statuses", {}).get(action)
            if status is None:
                return False
            self._give(content=b'{"detail": "not now"}', status=status)
            return True

        def do_PUT(self) -> None:
            uploaded["/".join(self._path())] = self._body()
            self._give(ETag="etag-0")

        def do_PATCH(self) -> None:
            self._body()
            self._give(pb.CreateUpdateResponse(id=self._path()[3]))

        def do_POST(self) -> None:
            path, body = self._path(), self._body()
            if path[0] == "files":
                uploaded["/".join(path)] = body
                self._give(status=204)
                return
            if self._refused(f"POST {path[2]}"):
                return
            if path[2:] == ["jobs"]:
                found = pb.Job()
                found.ParseFromString(body)
                found.inference_job.inference_job_id = f"j{len(jobs)}"
                jobs.append(found)
                told = {
                    "name": found.inference_job.name,
                    "device": [found.inference_job.device.name, found.inference_job.device.os],
                    "options": found.inference_job.options,
                    "profile": found.inference_job.is_profiling_on,
                    "model": len(uploaded["files/model"]),
                    "inputs": b"\x89HDF" in uploaded["files/dataset"],
                }
                with state_file.with_name("jobs.jsonl").open("a") as stream:
                    stream.write(json.dumps(told) + "\n")
                self._give(pb.CreateUpdateResponse(id=f"j{len(jobs) - 1}"))
                return
            self._give(pb.CreateUpdateResponse(id=f"{path[2]}-0" if len(path) == 3 else path[3]))

        def do_GET(self) -> None:
            path = self._path()
            address = f"http://127.0.0.1:{self.server.server_address[1]}/files"
            if path[0] == "files":
                self._give(content=outputs())
                return
            if self._refused(f"GET {path[2]}"):
                return
            if path[2] == "devices":
                known = [pb.Device(name=each[0], os=each[1], attributes=each[2]) for each in state()["devices"]]
                asked = dict(part.split("=", 1) for part in urlsplit(self.path).query.split("&") if "=" in part)
                name = asked.get("name", "").replace("+", " ")
                fitting = [each for each in known if not name or (each.name, each.os) == (name, asked.get("os"))]
                self._give(pb.DeviceList(devices=fitting, total_query_count=len(fitting)))
            elif path[-1] == "multipart_upload":
                urls = pb.FileMultipartUploadURL(urls=[f"{address}/model"], upload_id="u", max_part_size=1 << 30)
                self._give(pb.FileUploadResponse(multipart_url=urls))
            elif path[-1] == "upload_url":
                url = pb.FileUploadURL(url=f"{address}/dataset", file_field_name="file", fields={"key": "value"})
                self._give(pb.FileUploadResponse(url=url))
            elif path[-1] == "download_data":
                url = pb.FileDownloadURL(url=f"{address}/outputs", filename="outputs.h5")
                self._give(pb.FileDownloadResponse(url=url))
            elif path[2] == "datasets":
                self._give(pb.Dataset(dataset_id="out", name="outputs", permanent=True))
            elif path[2] == "job_summaries":
                found = pb.JobSummaryList()
                for each in reversed(jobs):
                    summary = found.job_summaries.add().inference_job_summary
                    summary.job_id, summary.name = each.inference_job.inference_job_id, each.inference_job.name
                self._give(found)
            elif path[-1] == "result":
                result = pb.InferenceJobResult(inference_job_id=path[3], output_dataset_id="out", detail=detail())
                self._give(pb.JobResult(inference_job_result=result))
            elif path[2] == "jobs" and int(path[3][1:]) < len(jobs):
                self._give(job(int(path[3][1:])))
            else:
                self._give(content=b"", status=404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port_file.with_suffix(".new").write_text(str(server.server_port))
    port_file.with_suffix(".new").rename(port_file)
    server.serve_forever()


if __name__ == "__main__":
    serve(*map(Path, sys.argv[1:]))
