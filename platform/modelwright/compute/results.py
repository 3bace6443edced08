"""What ended workloads left, from the blob store: the same whichever host they ran on."""

from __future__ import annotations

import json
from typing import Any

from modelwright.compute.models import Workload
from modelwright.storage.manifests import load
from modelwright.storage.settings import blob_store

# The names of what hosts hand in, by what it is for.
OBSERVED = "observed.json"
RESULT = "result.json"


def read_result(workload: Workload, name: str) -> dict[str, Any]:
    """The JSON object that the workload left under the name, empty when there is none.

    User code ran beside what wrote `result.json`, so every value in it is to be checked. Raises Unavailable while the
    blob store does not answer.
    """
    if not workload.results_sha256:
        return {}
    store = blob_store()
    entry = load(store, workload.results_sha256).find(name)
    if entry is None:
        return {}
    try:
        value = json.loads(store.read(entry.sha256))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
