"""The ASGI application that `web` serves: pages and REST by Django, `/mlflow` by the tracking proxy."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelwright.settings")
django_application = get_asgi_application()

from jobs.tracking.app import tracking_application  # noqa: E402 - Django must be set up first
from jobs.tracking.proxy import PREFIX  # noqa: E402
from modelwright.celery import app  # noqa: E402
from modelwright.core import counting  # noqa: E402

# Requests send hints to workers, so tasks must belong to the platform's Celery and not to an unconfigured one.
app.set_default()

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
tracking = tracking_application()


async def application(scope: Any, receive: Receive, send: Send) -> None:
    """Hand each request to the part that answers its path."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and (scope["path"] == PREFIX or scope["path"].startswith(f"{PREFIX}/")):
        await tracking(scope, receive, send)
    else:
        await django_application(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            counting.tell_now_and_then()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await tracking.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
