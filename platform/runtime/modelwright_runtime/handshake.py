"""First bytes of a TCP connection to a model server or to a bridge: each side proves that it knows the replica's token.

listening side   `mwh1` | 32 bytes at random
connecting side  32 bytes at random | u8 length | name of the replica that it wants | proof
listening side   u8 0 | proof, or u8 1 (wrong token) or 2 (no such replica) and the end

A proof is HMAC-SHA256 with the token over the side's word, both random texts and the name. The token itself is never
sent, an answer that was overheard opens nothing later, and who takes over an address without the token learns nothing
and is not believed. Each replica has a token of its own, made from the platform's secret key by `replica_token`: a
replica that listens by itself is told only its own. What follows is not encrypted: use TLS below it, or a network of
the platform's own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
from collections.abc import Callable

MAGIC = b"mwh1"
NONCE_BYTES = 32
PROOF_BYTES = 32
LONGEST_NAME = 255
ACCEPTED, WRONG_TOKEN, NO_SUCH_NAME = 0, 1, 2
_REASONS = {WRONG_TOKEN: "the token is not the right one", NO_SUCH_NAME: "no replica of that name is there"}


class HandshakeError(Exception):
    """The other side is not what it should be, or does not take this one for what it should be."""


def replica_token(token: str, name: str) -> str:
    """The token of the replica of that name, made from the installation's: its secret key. It tells neither."""
    return hmac.new(b"modelwright replica|" + token.encode(), name.encode(), hashlib.sha256).hexdigest()


class Accepting:
    """The listening side: send `greeting` first, then whatever `feed` returns, until `is_done`."""

    def __init__(self, token_of: Callable[[str], str], is_known: Callable[[str], bool]) -> None:
        """`token_of` gives the token of a name; a server that is one replica knows that one only, a bridge all.

        `is_known` says whether there is a replica of a name; it is asked only for those who know the token.
        """
        self._token_of, self._is_known = token_of, is_known
        self._nonce = os.urandom(NONCE_BYTES)
        self._buffer = b""
        self.greeting = MAGIC + self._nonce
        self.is_done = False
        self.name = ""
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """What to send now; `rest` holds what came after. Raises HandshakeError: send its `refusal` and close."""
        self._buffer += data
        if len(self._buffer) <= NONCE_BYTES:
            return b""
        end = NONCE_BYTES + 1 + self._buffer[NONCE_BYTES]
        if len(self._buffer) < end + PROOF_BYTES:
            return b""
        theirs, name = self._buffer[:NONCE_BYTES], self._buffer[NONCE_BYTES + 1 : end]
        proof, self.rest = self._buffer[end : end + PROOF_BYTES], self._buffer[end + PROOF_BYTES :]
        self.name = name.decode("ascii", "replace")
        token = self._token_of(self.name)
        if not hmac.compare_digest(proof, _proof(token, b"asking", self._nonce, theirs, name)):
            raise RefusedError(WRONG_TOKEN)
        if not self._is_known(self.name):
            raise RefusedError(NO_SUCH_NAME)
        self.is_done = True
        return bytes([ACCEPTED]) + _proof(token, b"accepting", self._nonce, theirs, name)


class RefusedError(HandshakeError):
    """The listening side refuses; `refusal` is what to send before closing."""

    def __init__(self, status: int) -> None:
        super().__init__(_REASONS[status])
        self.refusal = bytes([status])


class Asking:
    """The connecting side: send whatever `feed` returns until `is_done`."""

    def __init__(self, token: str, name: str) -> None:
        """`token` is the installation's, `name` the key of the replica that is wanted.

        Raises HandshakeError when the name is too long.
        """
        self._begin(replica_token(token, name), name)

    @classmethod
    def by_own(cls, token: str, name: str) -> Asking:
        """With the token of that replica alone, for who must not know the installation's."""
        made = cls.__new__(cls)
        made._begin(token, name)
        return made

    def _begin(self, own_token: str, name: str) -> None:
        self._token, self._name = own_token, name.encode()
        if len(self._name) > LONGEST_NAME:
            raise HandshakeError(f"the name {name!r} is longer than {LONGEST_NAME} bytes")
        self._nonce = os.urandom(NONCE_BYTES)
        self._theirs = b""
        self._buffer = b""
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """What to send now; `rest` holds what came after. Raises HandshakeError when the other side is none of ours."""
        self._buffer += data
        if not self._theirs:
            return self._prove()
        if self._buffer and self._buffer[0] != ACCEPTED:
            raise HandshakeError(_REASONS.get(self._buffer[0], "its answer makes no sense"))
        if len(self._buffer) > PROOF_BYTES:
            proof, self.rest = self._buffer[1 : PROOF_BYTES + 1], self._buffer[PROOF_BYTES + 1 :]
            expected = _proof(self._token, b"accepting", self._theirs, self._nonce, self._name)
            if not hmac.compare_digest(proof, expected):
                raise HandshakeError("it does not know the token itself")
            self.is_done = True
        return b""

    def _prove(self) -> bytes:
        size = len(MAGIC) + NONCE_BYTES
        if not self._buffer.startswith(MAGIC[: len(self._buffer)]):
            raise HandshakeError("it greets like none of ours")
        if len(self._buffer) < size:
            return b""
        self._theirs, self._buffer = self._buffer[len(MAGIC) : size], self._buffer[size:]
        proof = _proof(self._token, b"asking", self._theirs, self._nonce, self._name)
        return self._nonce + bytes([len(self._name)]) + self._name + proof


def introduce(connection: socket.socket, token: str, name: str) -> bytes:
    """The connecting side (see `Asking`) on a blocking socket. Returns what came after it, mostly nothing.

    Raises HandshakeError, and OSError when the connection breaks or is silent for longer than its timeout.
    """
    side = Asking(token, name)
    while not side.is_done:
        data = connection.recv(4096)
        if not data:
            raise HandshakeError("it closed the connection")
        connection.sendall(side.feed(data))
    return side.rest


def _proof(token: str, side: bytes, accepting: bytes, asking: bytes, name: bytes) -> bytes:
    return hmac.new(token.encode(), b"|".join((side, accepting, asking, name)), hashlib.sha256).digest()
