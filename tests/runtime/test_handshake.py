"""The handshake between gateway and replicas: who is let in, who is not, and that nothing overheard opens anything."""

from __future__ import annotations

import itertools

import pytest
from modelwright_runtime.handshake import Accepting, Asking, HandshakeError, RefusedError, replica_token

TOKEN, NAME = "the installation's token", "0190-1"


def replica(name: str = NAME) -> Accepting:
    """A replica that knows its own token only."""
    own = replica_token(TOKEN, name)
    return Accepting(lambda _: own, lambda wanted: wanted == name)


def bridge(*names: str) -> Accepting:
    return Accepting(lambda name: replica_token(TOKEN, name), lambda name: name in names)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_both_sides_agree_however_the_bytes_are_cut(size: int) -> None:
    asking, accepting = Asking(TOKEN, NAME), replica()
    to_asking, to_accepting = accepting.greeting, b""
    while not (asking.is_done and accepting.is_done):
        now, to_asking = to_asking[:size], to_asking[size:]
        to_accepting += asking.feed(now)
        now, to_accepting = to_accepting[:size], to_accepting[size:]
        to_asking += accepting.feed(now)
    assert accepting.name == NAME


def test_what_follows_at_once_is_kept() -> None:
    asking, accepting = Asking(TOKEN, NAME), bridge(NAME)
    answer = accepting.feed(asking.feed(accepting.greeting) + b"a frame")
    asking.feed(answer + b"an answer")
    assert (accepting.rest, asking.rest) == (b"a frame", b"an answer")


def test_a_wrong_token_is_refused_on_both_sides() -> None:
    asking, accepting = Asking("another", NAME), replica()
    with pytest.raises(RefusedError, match="token") as caught:
        accepting.feed(asking.feed(accepting.greeting))
    with pytest.raises(HandshakeError, match="token is not the right one"):
        asking.feed(caught.value.refusal)


def test_a_replica_that_is_not_there_is_named_as_such() -> None:
    asking, accepting = Asking(TOKEN, NAME), bridge("another")
    with pytest.raises(RefusedError, match="no replica") as caught:
        accepting.feed(asking.feed(accepting.greeting))
    with pytest.raises(HandshakeError, match="no replica"):
        asking.feed(caught.value.refusal)


def test_the_token_of_one_replica_does_not_open_another() -> None:
    asking, accepting = Asking(TOKEN, "0190-2"), replica("0190-1")
    with pytest.raises(RefusedError):
        accepting.feed(asking.feed(accepting.greeting))


def test_an_overheard_answer_opens_nothing_later() -> None:
    first = replica()
    overheard = Asking(TOKEN, NAME).feed(first.greeting)
    assert first.feed(overheard)
    with pytest.raises(RefusedError):
        replica().feed(overheard)


def test_who_does_not_know_the_token_is_not_believed() -> None:
    asking = Asking(TOKEN, NAME)
    impostor = Accepting(lambda _: "guessed", lambda _: True)
    asking.feed(impostor.greeting)
    with pytest.raises(HandshakeError, match="does not know the token"):
        asking.feed(bytes(33))


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400", b"mwh2" + bytes(32)])
def test_what_greets_differently_is_none_of_ours(greeting: bytes) -> None:
    with pytest.raises(HandshakeError, match="greets"):
        Asking(TOKEN, NAME).feed(greeting)


def test_every_token_is_another() -> None:
    tokens = [replica_token(*pair) for pair in itertools.product(("a", "b"), ("1", "2"))]
    assert len(set(tokens)) == 4
