"""What ended workloads left, from the blob store: the same whichever host they ran on."""

from __future__ import annotations

import json
import logging
from typing import Any

from modelwright.compute.models import Workload
from modelwright.core.errors import Unavailable
from modelwright.storage.manifests import load
from modelwright.storage.settings import blob_store

logger = logging.getLogger(__name__)

# The names of what hosts hand in, by what it is for.
OBSERVED = "observed.json"
RESULT = "result.json"
# The folder that a compilation leaves.
COMPILED = "compiled"


def read_result(workload: Workload, name: str) -> dict[str, Any]:
    """The JSON object that the workload left under the name, empty when there is none (any more).

    User code ran beside what wrote `result.json`, so every value in it is to be checked. Raises Unavailable while the
    blob store does not answer.
    """
    if not workload.results_sha256:
        return {}
    try:
        value = json.loads(_content(workload.results_sha256, name))
    except Unavailable as error:
        # A blob that is missing or damaged stays so, and nothing must wait for it for ever.
        blob_store().has(workload.results_sha256)
        logger.error("the results of workload %s are lost: %s", workload.pk, error)
        return {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def kept_folder(workload: Workload, name: str) -> tuple[str, int]:
    """A folder that the workload left, as a manifest of its own: its digest and its size in bytes; empty without one.

    Raises Unavailable while the blob store does not answer.
    """
    if not workload.results_sha256:
        return "", 0
    store = blob_store()
    found = load(store, workload.results_sha256).below(name)
    return (store.put_bytes(found.content).sha256, found.size) if found.entries else ("", 0)


def _content(manifest: str, name: str) -> bytes:
    store = blob_store()
    entry = load(store, manifest).find(name)
    return store.read(entry.sha256) if entry else b"{}"
