"""gunicorn's worker for `web`."""

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from uvicorn.workers import UvicornWorker


class WebWorker(UvicornWorker):
    """uvicorn on uvloop and httptools; the platform has no WebSockets."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "lifespan": "on",
        "timeout_graceful_shutdown": 5,
    }
