"""Asks the platform with the session's own token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from modelwright_runtime.session.orders import Orders

SECONDS = 10


class PlatformError(Exception):
    """The platform does not answer, or refuses; the message says why. `status` is 0 where it does not answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def tell(orders: Orders, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST to the platform; its answer. Raises PlatformError."""
    request = urllib.request.Request(  # noqa: S310 - the platform's own address
        f"{orders.url}/session-agent/{what}/",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {orders.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the same
            content = json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        raise PlatformError(error.read().decode(errors="replace")[:500], error.code) from error
    except (OSError, ValueError) as error:
        raise PlatformError(str(error)) from error
    return content if isinstance(content, dict) else {}
