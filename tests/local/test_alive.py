"""The health check of containers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from modelwright.local import alive
from modelwright.local.layout import REPOSITORY


class Answering(BaseHTTPRequestHandler):
    """Answers 200 at /well and 503 elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server."""
    httpd = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_an_answer_below_500_is_life(server: str) -> None:
    assert alive.main(["http", server, "/well"]) == 0
    assert alive.main(["http", server, "/ill"]) == 1


def test_silence_is_none(tmp_path: Path) -> None:
    assert alive.main(["http", "127.0.0.1:1", "/"]) == 1
    assert alive.main(["socket", str(tmp_path / "nobody.sock")]) == 1
    assert alive.main(["pulse", str(tmp_path / "nothing"), "10"]) == 1


def test_a_pulse_counts_while_it_is_young(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    pulse.touch()
    assert alive.main(["pulse", str(pulse), "30"]) == 0
    os.utime(pulse, (time.time() - 60, time.time() - 60))
    assert alive.main(["pulse", str(pulse), "30"]) == 1


def test_it_runs_without_anything_that_is_installed() -> None:
    with tempfile.NamedTemporaryFile() as pulse:
        command = [sys.executable, "-I", "-S", "platform/modelwright/local/alive.py", "pulse", pulse.name, "30"]
        assert subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0
        assert subprocess.run([*command[:4], "hello"], cwd=REPOSITORY, check=False, capture_output=True).returncode == 2
