"""Where a request comes from is what the connection says, unless somebody stands in front who may say otherwise."""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from modelwright.local.layout import REPOSITORY
from modelwright.local.mlflow_server import http_answers
from modelwright.local.process import Program, start, wait_until
from tests.ports import free_port


async def application(
    scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answers the address of who asks."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": (await receive())["type"] + ".complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(scope["client"][0]).encode()})


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"MODELWRIGHT_WEB_URL": "http://127.0.0.1:8000"}, "127.0.0.1"),
        ({"MODELWRIGHT_WEB_URL": "https://modelwright.example.org"}, "6.6.6.6"),
        ({"FORWARDED_ALLOW_IPS": "127.0.0.1"}, "127.0.0.1"),
        ({"FORWARDED_ALLOW_IPS": "10.0.0.1,127.0.0.1"}, "6.6.6.6"),
        ({"FORWARDED_ALLOW_IPS": "10.0.0.1"}, "127.0.0.1"),
    ],
    ids=str,
)
def test_a_workload_cannot_say_that_it_is_somewhere_else(
    variables: dict[str, str], address: str, tmp_path: Path
) -> None:
    port = free_port()
    worker = "modelwright.local.web_worker.WebWorker"
    command = [sys.executable, "-m", "gunicorn", f"{__name__}:application", "--worker-class", worker, "--workers", "1"]
    kept = {
        key: value for key, value in os.environ.items() if key not in ("MODELWRIGHT_WEB_URL", "FORWARDED_ALLOW_IPS")
    }
    program = Program(
        name="web",
        argv=[*command, "--bind", f"127.0.0.1:{port}", "--no-control-socket"],
        env={**kept, **variables},
        cwd=REPOSITORY,
        ready=lambda: http_answers(("127.0.0.1", port), "/"),
    )
    child = start(program, tmp_path / "web.log")
    try:
        wait_until(program.ready, child, 120)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/", headers={"X-Forwarded-For": "6.6.6.6"})
        assert connection.getresponse().read().decode() == address
        connection.close()
    finally:
        child.ask_to_stop()
        child.wait_or_kill(20)
