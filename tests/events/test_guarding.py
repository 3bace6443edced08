"""Where events may be posted to, and how a post ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import socket
import threading
import time
from typing import Any

import pytest

from models.events.guarding import check_url, destination_of, is_allowed
from models.events.posting import post
from models.events.signing import new_secret, signed_headers
from modelwright.core.errors import ValidationFailed
from modelwright.core.outside import Refused
from tests.events.conftest import Receiver


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
        ),
        *("192.0.0.192", "168.63.129.16", "[fec0::2]", "[64:ff9b:1::a00:5]", "[::ffff:0:127.0.0.1]", "[::10.0.0.5]"),
        # A public address inside of one that others translate: where it ends is not up to us.
        *("[64:ff9b::5db8:d822]", "[2002:5db8:d822::1]", "[2001:0:5db8:d822::1]", "[::5db8:d822]", "[2001:db8::1]"),
        *("[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]"),
    ],
)
def test_addresses_inside_are_refused(host: str, settings: Any) -> None:
    settings.EVENT_SINK_NETWORKS = ()
    with pytest.raises(ValidationFailed):
        check_url(f"https://{host}/in")
    with pytest.raises(Refused):
        destination_of(f"http://{host}/in")


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "127.1", "mixed.example.org"])
def test_names_are_judged_by_every_address_that_they_have(
    host: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVENT_SINK_NETWORKS = ()
    if host == "mixed.example.org":
        found = [(2, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(Refused):
        destination_of(f"https://{host}/in")


def test_a_public_address_is_allowed_and_a_network_that_the_administrator_names(settings: Any) -> None:
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network("10.1.0.0/16"),)
    assert destination_of("https://93.184.216.34/in?a=1").path == "/in?a=1"
    assert destination_of("http://10.1.2.3:8080").authority == "10.1.2.3:8080"
    with pytest.raises(Refused):
        destination_of("http://10.2.0.1/")


def test_the_guard_rests_on_its_own_lists(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python's version takes for public changes; the lists here do not."""
    settings.EVENT_SINK_NETWORKS = ()
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, "is_global", property(lambda self: True))
        monkeypatch.setattr(kind, "is_multicast", property(lambda self: False))
    inside = [
        *("0.1.2.3", "10.1.2.3", "100.100.100.200", "127.1.1.1", "169.254.169.254", "172.31.0.1", "192.0.0.10"),
        *("192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "168.63.129.16", "::1", "::ffff:10.0.0.1"),
        *("fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "2002:a00:1::1", "64:ff9b:1::1", "4000::1"),
    ]
    assert [each for each in inside if is_allowed(ipaddress.ip_address(each))] == []
    assert is_allowed(ipaddress.ip_address("2606:4700::6810:85e5"))


@pytest.mark.parametrize(
    ("network", "host", "dialled"),
    [
        ("10.1.0.0/16", "[::ffff:10.1.2.3]", "10.1.2.3"),
        ("::ffff:10.1.0.0/112", "10.1.2.3", "10.1.2.3"),
        ("64:ff9b::/96", "[64:ff9b::5db8:d822]", "64:ff9b::5db8:d822"),
        ("fd00:1::/32", "[fd00:1::5]", "fd00:1::5"),
        ("10.1.0.0/16", "[64:ff9b::a01:203]", None),
        ("10.1.0.0/16", "[2002:a01:203::1]", None),
    ],
)
def test_a_network_of_the_administrators_is_that_of_the_address_that_is_dialled(
    network: str, host: str, dialled: str | None, settings: Any
) -> None:
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network(network),)
    if dialled is None:
        with pytest.raises(Refused):
            destination_of(f"http://{host}/")
    else:
        assert destination_of(f"http://{host}/").addresses == [dialled]


def test_a_name_that_nobody_answers_for_is_given_up_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(60) and [])
    began = time.monotonic()
    answer = post("http://slow.example.org/", b"[]", {}, seconds=0.3)
    over.set()
    assert (answer.status, "was not looked up" in answer.detail) == (0, True)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example.org", "https://u:p@a.example.org", "https://", "a", "https://a.example.org/#x", "https://a b"],
)
def test_what_is_no_address_of_a_sink_is_refused(url: str) -> None:
    with pytest.raises(ValidationFailed):
        check_url(url)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer = lambda events: (302, {"Location": receiver.url})
    answer = post(receiver.url, b"[]", {})
    assert (answer.status, answer.is_taken, len(receiver.bodies)) == (302, False, 1)


def test_a_sink_that_answers_a_byte_at_a_time_is_given_up(settings: Any) -> None:
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network("127.0.0.1"),)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                while True:
                    connection.send(b"H")
                    time.sleep(0.05)
            except OSError:
                pass

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    answer = post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"[]", {}, seconds=0.5)
    listener.close()
    assert answer.status == 0
    assert time.monotonic() - began < 20


def test_a_sink_that_is_not_there_is_an_answer(settings: Any) -> None:
    settings.EVENT_SINK_NETWORKS = (ipaddress.ip_network("127.0.0.1"),)
    with socket.socket() as taken:
        # Nobody else can listen there meanwhile, and this one does not.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        answer = post(f"http://127.0.0.1:{port}/", b"[]", {})
    assert (answer.status, "cannot be reached" in answer.detail) == (0, True)
    settings.EVENT_SINK_NETWORKS = ()
    assert "inside the network" in post(f"http://127.0.0.1:{port}/", b"[]", {}).detail


def test_signatures_are_those_of_standard_webhooks() -> None:
    secret = new_secret()
    headers = signed_headers(secret, "msg_1", 1700000000, b"[]")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, b"msg_1.1700000000.[]", hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
