// The records' JSON: every field is written, null where it is unknown. A phone has no op profile of the harness's kind
// and counts no instructions; parity at export is in the artefact's manifest and not in a bundle's.

extension ArtifactIdentity: JSONWritable {
    public var json: JSONValue {
        .object([
            "model": model.json, "tower": tower.json, "target": target.json, "precision": precision.json,
            "sha256": sha256.json, "weights_sha256": weightsSha256.json, "model_size_bytes": modelSizeBytes.json,
            "scheme": scheme.json, "trained": trained.json,
        ])
    }
}

extension RuntimeFacts: JSONWritable {
    public var json: JSONValue {
        .object([
            "name": name.json, "version": version.json, "accelerator_requested": acceleratorRequested.json,
            "accelerator_observed": acceleratorObserved.json,
        ])
    }
}

extension RunSettings: JSONWritable {
    public var json: JSONValue {
        .object([
            "threads": threads.json, "iterations": iterations.json, "minimum_seconds": minimumSeconds.json,
            "launches": launches.json, "warmup": warmup.json, "load_mode": loadMode.json, "cores": .null,
            "until_share": .null, "budget_seconds": .null, "sustained_seconds": sustainedSeconds.json,
            "accelerator": accelerator.json,
        ])
    }
}

extension GoldenCheck: JSONWritable {
    public var json: JSONValue {
        .object([
            "samples": samples.json, "cosine_min": cosineMin.json, "max_abs": maxAbs.json,
            "exported_cosine_min": exportedCosineMin.json,
        ])
    }
}

extension Preparation: JSONWritable {
    public var json: JSONValue {
        .object(["step": step.json, "executed_by": executedBy.json, "samples_ns": samplesNs.json])
    }
}

extension BenchmarkRecord: JSONWritable {
    public var json: JSONValue {
        .object([
            "artifact": artifact.json, "device": device.json, "runtime": runtime.json, "settings": settings.json,
            "status": status.json, "reason": reason.json, "launches": launches.json, "parity": .null,
            "golden_check": goldenCheck.json, "agent_sha256": .null, "tool_version": toolVersion.json,
            "record_id": recordId.json, "created_at": createdAt.json, "sustained": sustained.json,
            "preparation": preparation.json, "profile": .null, "instructions": .null, "invalid": invalid.json,
            "tag": .null, "npu": .null, "kind": "benchmark".json, "schema_version": Self.schemaVersion.json,
        ])
    }
}
