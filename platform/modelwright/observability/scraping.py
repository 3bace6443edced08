"""`/metrics`: who may read it, and its answer."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes

from modelwright.core.exposition import TEXT, render
from modelwright.observability.collecting import everything

_REFUSED = (
    "Metrics are told to those alone who know the installation's metrics token.\n"
    "Send it as Authorization: Bearer; it stands in the file that MODELWRIGHT_METRICS_TOKEN_FILE names "
    "(docs/metrics.md).\n"
)


def metrics(request: HttpRequest) -> HttpResponse:
    """The platform's metrics in Prometheus' text format; 401 without the metrics token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(force_bytes(given.strip()), token().encode()):
        return HttpResponse(_REFUSED, status=401, content_type="text/plain", headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(render(everything()), content_type=TEXT)


def token() -> str:
    """The installation's metrics token, made when it is first asked for and there is none."""
    path = Path(settings.METRICS_TOKEN_FILE)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
        try:
            # Of two processes that make one at once, the first wins.
            os.link(new, path)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return path.read_text().strip() or secrets.token_urlsafe(32)
