"""What the gateway says of the load of endpoints: a few lines of its metrics."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections import defaultdict
from pathlib import Path

from django.conf import settings

from models.availability.autoscaling import Told

TIMEOUT_SECONDS = 5.0
MOST_BYTES = 64 * 1024 * 1024

_FIELDS = {
    "modelwright_gateway_request_seconds_sum": "seconds",
    "modelwright_gateway_queue_seconds_sum": "queue_seconds",
    "modelwright_gateway_queue_seconds_count": "frames",
    "modelwright_gateway_waiting_requests": "waiting",
    "modelwright_gateway_requests_total": "refused",
}
# Names of workspaces and endpoints need no escapes in labels.
_LINE = re.compile(r'(\w+)\{endpoint="([^"\\]+)"(?:,status="(\d+)")?\} (\S+)')


def ask() -> dict[str, Told] | None:
    """By `<workspace>/<endpoint>`; None while the gateway does not answer, or not to us."""
    request = urllib.request.Request(f"{settings.GATEWAY_INTERNAL_URL}/metrics")  # noqa: S310 - of the settings
    # A gateway that asks for no token answers without one.
    with contextlib.suppress(OSError):
        request.add_header("Authorization", f"Bearer {Path(settings.METRICS_TOKEN_FILE).read_text().strip()}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return parse(answer.read(MOST_BYTES).decode(errors="replace"))
    except (OSError, ValueError):
        return None


def parse(exposition: str) -> dict[str, Told]:
    """What the lines of an exposition say; lines of other metrics are passed over."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for line in exposition.splitlines():
        if not line.startswith("modelwright_gateway_"):
            continue
        match = _LINE.fullmatch(line)
        field = _FIELDS.get(match[1]) if match else None
        if match is None or field is None or (field == "refused" and match[3] != "429"):
            continue
        found[match[2]][field] = float(match[4])
    return {name: Told(**values) for name, values in found.items()}
