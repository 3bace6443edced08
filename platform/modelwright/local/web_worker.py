"""gunicorn's worker for `web`."""

import os
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from uvicorn.workers import UvicornWorker


# What is believed by default, and what each workload of this machine comes from as well.
LOOPBACK = "127.0.0.1"


def is_behind_proxy() -> bool:
    """Whether somebody stands in front who says for whom they ask: where TLS ends, or where `FORWARDED_ALLOW_IPS` says
    so. Anybody else who says it, such as a workload of this machine, only hides where a request comes from."""
    named = os.environ.get("FORWARDED_ALLOW_IPS", LOOPBACK)
    return named != LOOPBACK or os.environ.get("MODELWRIGHT_WEB_URL", "").startswith("https://")


class WebWorker(UvicornWorker):
    """uvicorn on uvloop and httptools; the platform has no WebSockets."""

    CONFIG_KWARGS: dict[str, Any] = {
        "proxy_headers": is_behind_proxy(),
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "timeout_graceful_shutdown": 5,
    }
