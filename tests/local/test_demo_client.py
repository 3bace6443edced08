"""The demonstration's client: pages of a list, refusals in words, traffic that counts what failed."""

import json
import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from modelwright.local.demo.client import Client, Refused, wait_for
from modelwright.local.demo.steps import curl_line
from modelwright.local.demo.traffic import Traffic

PROBLEM = {
    "title": "Conflict",
    "detail": "The name is taken.",
    "remedy": "Choose another one.",
    "errors": [{"field": "name", "message": "already used"}],
}


class Answers(BaseHTTPRequestHandler):
    """A server that answers as the platform does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = f"http://{self.headers['Host']}"
        page = {"results": [1, 2], "next": f"{host}/list/?cursor=b"} if "cursor" not in self.path else None
        self.answer(200, page or {"results": [3], "next": None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/refused/":
            self.answer(409, PROBLEM)
        elif body["records"][0].get("bad"):
            self.answer(503, PROBLEM)
        else:
            self.answer(200, {"version": 1, "key": self.headers["Authorization"]})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join(30)


def test_every_page_of_a_list_is_read(server: str) -> None:
    assert list(Client(server).pages("/list/", project="7")) == [1, 2, 3]


def test_a_refusal_says_what_which_field_and_what_to_do(server: str) -> None:
    with pytest.raises(Refused, match=r"409: The name is taken\. name: already used Choose another one\.") as refused:
        Client(server).post("/refused/", {"records": []})
    assert refused.value.status == 409


def test_traffic_counts_answers_by_version_and_keeps_failures(server: str) -> None:
    traffic = Traffic(f"{server}/w/e/predict", "mwk_x", [{"a": 1}, {"bad": True}])
    traffic.start()
    wait_for(lambda: traffic.sent >= 6, 30, "six requests", every=0.01)
    traffic.stop()
    assert set(traffic.versions) == {1}
    assert traffic.versions[1] >= 3
    assert all(failure.startswith("ValueError: 503") for failure in traffic.failures)
    assert len(traffic.failures) >= 2


def test_the_line_to_paste_survives_a_shell() -> None:
    words = shlex.split(curl_line("http://h/w/e/predict", "mwk_x", {"name": "it's"}))
    assert words[:3] == ["curl", "-s", "http://h/w/e/predict"]
    assert "Authorization: Bearer mwk_x" in words
    assert json.loads(words[-1]) == {"records": [{"name": "it's"}]}
