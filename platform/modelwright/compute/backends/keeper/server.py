"""Answers specs on a Unix socket. Raw options of the engine cannot be said in this language."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from modelwright.compute.backends.base import Backend, BackendError, Cause, Renewing, Spreading
from modelwright.compute.backends.keeper import codec
from modelwright.compute.images.builder import ImageBuilder
from modelwright.compute.images.order import BuildOrder, LockOrder

logger = logging.getLogger(__name__)
_CREDENTIALS = struct.Struct("3i")
IDLE_SECONDS = 60.0
SIGNAL_SECONDS = 0.5
Answer = Mapping[str, Any]


class Keeper:
    """Serves one backend. Each connection has a thread of its own."""

    def __init__(self, path: Path, backend: Backend, builder: ImageBuilder, users: Collection[int] = ()) -> None:
        """Listens from here on, in place of a keeper that is gone. `users` may ask besides its own user and root."""
        self._closed = False
        self._backend = backend
        self._builder = builder
        self._users = {os.getuid(), 0, *users}
        self._methods: dict[str, tuple[set[str], Callable[..., Answer]]] = {
            "start": ({"spec"}, self._start),
            "stop": ({"key", "cause", "message"}, self._stop),
            "status": ({"key"}, self._status),
            "list": (set(), self._list),
            "renew": ({"spec"}, self._renew),
            "machines": (set(), self._machines),
            "remove": ({"key", "keep_record"}, self._remove),
            "build_image": ({"lock", "python", "path", "attempt"}, self._build_image),
            "remove_image": ({"image"}, self._remove_image),
            "resolve": ({"requirements", "kind", "python", "attempt", "additions"}, self._resolve),
        }
        self._listener = _listen(path, everyone=bool(users))
        # A signal that comes just before accept() begins to wait is not acted upon until it returns.
        self._listener.settimeout(SIGNAL_SECONDS)

    def serve(self) -> None:
        """Until closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                if self._closed:
                    return
                # Out of descriptors: some come back, and workloads need a keeper.
                logger.exception("taking a connection")
                time.sleep(SIGNAL_SECONDS)
                continue
            threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Takes no more connections. Workloads go on."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(IDLE_SECONDS)
            _, user, _ = _CREDENTIALS.unpack(
                connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            try:
                if user not in self._users:
                    _turn_away(connection, user)
                    return
                answer = self._answer(codec.receive(connection))
            except BackendError as error:
                answer = codec.error_to_json(error)
            except ConnectionError:
                return
            except Exception as error:
                logger.exception("answering")
                answer = codec.error_to_json(BackendError(f"The keeper failed: {error}"))
            codec.send(connection, answer)

    def _answer(self, message: dict[str, Any]) -> Answer:
        method = message.pop("method", None)
        if not isinstance(method, str) or method not in self._methods:
            raise codec.RefusedError(f"There is no method {method!r}.")
        names, function = self._methods[method]
        if set(message) != names:
            raise codec.RefusedError(f"{method} takes {sorted(names)}, not {sorted(message)}.")
        return function(**message)

    def _start(self, spec: object) -> Answer:
        return {"status": codec.status_to_json(self._backend.start(codec.spec_from_json(spec)))}

    def _renew(self, spec: object) -> Answer:
        if not isinstance(self._backend, Renewing):
            raise codec.RefusedError("What runs on this host cannot be renewed: start another one in its place.")
        self._backend.renew(codec.spec_from_json(spec))
        return {}

    def _machines(self) -> Answer:
        if not isinstance(self._backend, Spreading):
            raise codec.RefusedError("What runs on this host runs on one machine.")
        return {"machines": [codec.machine_to_json(machine) for machine in self._backend.machines()]}

    def _stop(self, key: object, cause: object, message: object) -> Answer:
        if not isinstance(message, str) or cause not in set(Cause):
            raise codec.RefusedError("stop needs a cause and a message.")
        self._backend.stop(codec.key_from_json(key), cause=Cause(str(cause)), message=message[:2000])
        return {}

    def _status(self, key: object) -> Answer:
        status = self._backend.status(codec.key_from_json(key))
        return {"status": None if status is None else codec.status_to_json(status)}

    def _list(self) -> Answer:
        return {"statuses": [codec.status_to_json(status) for status in self._backend.list()]}

    def _remove(self, key: object, keep_record: object) -> Answer:
        self._backend.remove(codec.key_from_json(key), keep_record=keep_record is not False)
        return {}

    def _build_image(self, **values: object) -> Answer:
        return {"build": self._builder.ensure(BuildOrder.from_json(values)).to_json()}

    def _remove_image(self, image: object) -> Answer:
        self._builder.remove(str(image))
        return {}

    def _resolve(self, **values: object) -> Answer:
        return {"build": self._builder.resolve(LockOrder.from_json(values)).to_json()}


def _turn_away(connection: socket.socket, user: int) -> None:
    """Says so, and waits for the other side to go: an end with something unread would destroy the answer."""
    error = codec.RefusedError(f"User {user} may not ask this keeper.")
    codec.send(connection, codec.error_to_json(error))
    connection.shutdown(socket.SHUT_WR)
    left = codec.LARGEST_MESSAGE
    while left > 0 and (piece := connection.recv(65536)):
        left -= len(piece)


def _listen(path: Path, *, everyone: bool) -> socket.socket:
    """Whoever may open the socket is checked again by user, so its mode only has to let them come so far."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(temporary))
    temporary.chmod(0o666 if everyone else 0o600)
    listener.listen(128)
    temporary.replace(path)
    return listener
