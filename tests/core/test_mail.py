"""E-mail to a real server of the standard protocol, and what becomes of it where there is none."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from modelwright.core.mail import connection_facts, send


class _Session(socketserver.StreamRequestHandler):
    """As much of SMTP as takes one message."""

    def handle(self) -> None:
        def say(line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        said: list[str] = self.server.said  # type: ignore[attr-defined]
        say("220 ready")
        while line := self.rfile.readline().decode().rstrip():
            said.append(line)
            if line.upper() == "DATA":
                say("354 go on")
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    said.append(text)
            say("221 bye" if line.upper() == "QUIT" else "250 ok")
            if line.upper() == "QUIT":
                return


@pytest.fixture
def server(settings: Any) -> Iterator[list[str]]:
    """What a mail server was told."""
    # pytest-django puts a box in memory in the place of SMTP.
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as made:
        made.said = []  # type: ignore[attr-defined]
        settings.MAIL_URL = f"smtp://127.0.0.1:{made.server_address[1]}"
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield made.said  # type: ignore[attr-defined]
        made.shutdown()


def test_a_message_reaches_each_and_nobody_sees_the_others(server: list[str]) -> None:
    assert send(["ann@example.org", "bob@example.org", ""], "An\nendpoint", "It failed.\n")
    assert {"rcpt TO:<ann@example.org>", "rcpt TO:<bob@example.org>"} <= set(server)
    assert "Subject: An endpoint" in server
    assert "It failed." in server
    assert not [line for line in server if line.startswith(("To: a", "Bcc"))]


def test_without_a_server_nothing_is_sent_and_nothing_fails(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert not send(["ann@example.org"], "a", "b")
    settings.MAIL_URL = "smtp://127.0.0.1:1"
    assert not send([], "a", "b")
    assert not send(["ann@example.org"], "a", "b")
    settings.MAIL_URL = "mail.example.org"
    assert not send(["ann@example.org"], "a", "b")


def test_an_address_says_how_to_connect(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    facts = connection_facts("smtp+starttls://us%40er@mail.example.org", str(tmp_path / "password"))
    assert (facts["host"], facts["port"], facts["use_tls"]) == ("mail.example.org", 587, True)
    assert (facts["username"], facts["password"]) == ("us@er", "s3cret")
    assert connection_facts("smtps://u:p@mail.example.org:1465")["port"] == 1465
    (tmp_path / "password").write_text("")
    assert connection_facts("smtp://u:p@mail.example.org", str(tmp_path / "password"))["password"] == "p"
    with pytest.raises(ImproperlyConfigured):
        connection_facts("http://mail.example.org")
