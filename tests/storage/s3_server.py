"""A real S3-compatible server in a process of its own, and a cable to it that can be cut."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from modelwright.storage.address import Bucket, Keys
from modelwright.storage.cache import Cache
from modelwright.storage.s3 import S3Blobs

MIB = 1024 * 1024
PART_BYTES = 5 * MIB
READY_SECONDS = 60
_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@dataclass
class S3Server:
    """moto's server. It keeps objects in memory, so whoever kills it loses them."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    endpoint: str = ""
    keys: Keys = field(default_factory=lambda: Keys("", ""))

    def start(self) -> None:
        """Start it on a free port, or on the port it had, and return when it answers and has an account."""
        log = self.folder / f"moto-{time.monotonic_ns()}.log"
        port = self.endpoint.rpartition(":")[2] or "0"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
                stdout=output,
                stderr=output,
                # Three requests make the account; from then on every request is checked.
                env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "3"},
            )
        self.endpoint = self._wait(log)
        self._make_account()

    def kill(self) -> None:
        """Kill it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def client(self, service: str = "s3", keys: Keys | None = None) -> Any:
        """The SDK's own client, for what a store of blobs does not do."""
        given = keys or self.keys
        return boto3.session.Session().client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=given.access_key,
            aws_secret_access_key=given.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )

    def store(self, bucket: str, cache: Path, **changes: Any) -> S3Blobs:
        """Blobs in `bucket` below the prefix `mw/`."""
        place = Bucket(bucket, "mw/", changes.get("endpoint", self.endpoint))
        limit = changes.get("limit_bytes", 100 * MIB)
        return S3Blobs(place, Cache(cache, limit), changes.get("keys", self.keys), part_bytes=PART_BYTES)

    def _wait(self, log: Path) -> str:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text())
            if found:
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"moto did not start: {log.read_text()}")

    def _make_account(self) -> None:
        iam = self.client("iam", Keys("first", "first"))
        iam.create_user(UserName="modelwright")
        made = iam.create_access_key(UserName="modelwright")["AccessKey"]
        iam.put_user_policy(UserName="modelwright", PolicyName="all", PolicyDocument=_POLICY)
        self.keys = Keys(made["AccessKeyId"], made["SecretAccessKey"])


class Cable:
    """A TCP relay to `endpoint` that goes dead after so many bytes in one direction, until `mend`."""

    def __init__(self, endpoint: str, *, sent_limit: int | None = None, received_limit: int | None = None) -> None:
        host, _, port = endpoint.removeprefix("http://").rpartition(":")
        self._target = (host, int(port))
        self._limits = [sent_limit, received_limit]
        self._passed = [0, 0]
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def is_cut(self) -> bool:
        return any(
            limit is not None and passed >= limit for limit, passed in zip(self._limits, self._passed, strict=True)
        )

    def mend(self) -> None:
        self._limits = [None, None]

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(self._target) as far:
            while not self.is_cut:
                for number, (source, target) in enumerate([(near, far), (far, near)]):
                    if select.select([source], [], [], 0.005)[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        self._passed[number] += len(data)
                        target.sendall(data)
