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
# Deeper values cannot be written as JSON again, compared or stored by everything that takes them.
MAX_DEPTH = 64
_TOO_DEEP: dict[str, Any] = {"error": f"What it left is nested deeper than {MAX_DEPTH} levels."}


def read_result(workload: Workload, name: str) -> dict[str, Any]:
    """The JSON object that the workload left under the name, empty when there is none (any more).

    User code ran beside what wrote `result.json`, so every value in it is to be checked. What is nested deeper than
    `MAX_DEPTH` is an object with the key `error` that says so. Raises Unavailable while the blob store does not answer.
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
    except RecursionError:
        return dict(_TOO_DEEP)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return dict(_TOO_DEEP) if _is_deep(value) else value


def kept_folder(workload: Workload, name: str) -> tuple[str, int]:
    """A folder that the workload left, as a manifest of its own: its digest and its size in bytes; empty without one.

    Raises Unavailable while the blob store does not answer.
    """
    if not workload.results_sha256:
        return "", 0
    store = blob_store()
    found = load(store, workload.results_sha256).below(name)
    return (store.put_bytes(found.content).sha256, found.size) if found.entries else ("", 0)


def _is_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        held = (item for one in level for item in (one.values() if isinstance(one, dict) else one))
        level = [item for item in held if isinstance(item, dict | list)]
    return depth > MAX_DEPTH


def _content(manifest: str, name: str) -> bytes:
    store = blob_store()
    entry = load(store, manifest).find(name)
    return store.read(entry.sha256) if entry else b"{}"
