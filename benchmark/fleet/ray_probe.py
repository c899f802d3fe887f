"""`python -m pocketclip.benchmark.fleet.ray_probe HOST:PORT`: prints what a cluster was started with.

In a process of its own, because Ray's client tries for long and writes to the terminal by itself.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Prints the versions as JSON; ends with 1 where there are none."""
    from ray import _raylet
    from ray._common.usage.usage_constants import CLUSTER_METADATA_KEY
    from ray._private.ray_constants import KV_NAMESPACE_CLUSTER

    # Compiled: no type of it is known.
    compiled: Any = _raylet
    content = compiled.GcsClient(address=sys.argv[1]).internal_kv_get(
        CLUSTER_METADATA_KEY, namespace=KV_NAMESPACE_CLUSTER
    )
    if content is None:
        sys.exit(1)
    told = json.loads(content)
    print(json.dumps({"ray": told["ray_version"], "python": told["python_version"]}))


if __name__ == "__main__":
    main()
