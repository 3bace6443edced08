"""The ASGI application that `web` serves: pages and REST by Django, `/mlflow` by the tracking proxy."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelwright.settings")
django_application = get_asgi_application()

from jobs.tracking.app import tracking_application  # noqa: E402 - Django must be set up first
from jobs.tracking.proxy import PREFIX  # noqa: E402
from modelwright.celery import app  # noqa: E402
from modelwright.core import counting  # noqa: E402
from modelwright.core.bodies import Bodies  # noqa: E402
from modelwright.core.threads import Threads  # noqa: E402
from modelwright.observability.middleware import counted  # noqa: E402
from modelwright.senders import is_known  # noqa: E402

if TYPE_CHECKING:
    from modelwright.observability.tracing import Tracing

# Requests send hints to workers, so tasks must belong to the platform's Celery and not to an unconfigured one.
app.set_default()

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
tracking = tracking_application()

MIB = 1024**2
# Views have bounds of their own, and the tracking proxy too; these keep what nobody reads off the disk, and what
# strangers send. A form has a little around its file.
BODIES = Bodies(
    usual=32 * MIB,
    larger={
        "batch-inputs": (4096 + 1) * MIB,
        "batch-jobs/new": (4096 + 1) * MIB,
        "scoring/chunks": 128 * MIB,
        "git-receive-pack": 512 * MIB,
        "scoring/output": 64 * 1024 * MIB,
    },
)
# As many connections to the database are kept by each process while it has nothing to do.
THREADS = Threads(most_idle=4)


class Web:
    """What one process of `web` answers with."""

    def __init__(self) -> None:
        self._tracing: Tracing | None = None
        self._stop_telling: Callable[[], None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Hand each request to the part that answers its path."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._tracing is not None and scope["type"] == "http":
            await self._tracing.answer(_answer, scope, receive, send)
        else:
            await _answer(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await tracking.close()
                await asyncio.to_thread(self._end)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _start(self) -> None:
        self._stop_telling = counting.tell_now_and_then()
        if settings.TRACES_URL:
            # Without a collector its libraries are not even loaded.
            tracing = import_module("modelwright.observability.tracing")
            self._tracing = tracing.Tracing(settings.TRACES_URL, settings.TRACES_RATIO)

    def _end(self) -> None:
        if self._stop_telling is not None:
            self._stop_telling()
        if self._tracing is not None:
            self._tracing.close()


async def _answer(scope: Any, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and (scope["path"] == PREFIX or scope["path"].startswith(f"{PREFIX}/")):
        await _track(scope, receive, send)
    elif scope["type"] == "http":
        async with THREADS.one():
            await BODIES.bounded(django_application, scope, receive, send, is_known=is_known)
    else:
        await django_application(scope, receive, send)


async def _track(scope: Any, receive: Receive, send: Send) -> None:
    """The proxy knows no middleware, so its requests are counted here."""
    began = time.monotonic()
    scope["modelwright.route"] = "mlflow"

    async def counted_send(message: Any) -> None:
        if message["type"] == "http.response.start":
            counted("mlflow", scope["method"], message["status"], time.monotonic() - began)
        await send(message)

    await tracking(scope, receive, counted_send)


application = Web()
