"""Exports pocketclip_nano in fp32 and int8, verifies and benches both, compares them and plots the samples."""

import matplotlib.pyplot as plt

import pocketclip

model = pocketclip.load_model("pocketclip_nano")
towers = [pocketclip.export(model, target="onnx", precision=each, tower="image") for each in ("fp32", "int8-static")]
print([tower.verify(samples=20).passed for tower in towers])
records = pocketclip.bench(towers, options=pocketclip.BenchOptions(iterations=50))
print(pocketclip.compare(*records, allow_invalid=True).words)
for record in records:
    samples_ms = [value / 1e6 for launch in record.launches for value in launch.steady_ns]
    plt.hist(samples_ms, bins=40, alpha=0.6, label=record.artifact.scheme)
plt.gca().set(xlabel="ms per inference", ylabel="samples")
plt.legend()
plt.savefig("latency.png")
