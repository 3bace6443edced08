"""OpenStack Swift with its S3 interface: a store with disks, that whoever kills it finds again as it was."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from modelwright.storage.address import Keys
from tests.ports import free_port
from tests.storage.s3_server import S3Server

READY_SECONDS = 180
PARTS = ("object", "container", "account", "proxy")
_BIN = Path(sys.executable).parent
_PIPELINE = "catch_errors gatekeeper listing_formats s3api tempauth slo dlo symlink versioned_writes proxy-server"


@dataclass
class SwiftServer(S3Server):
    """One of each server, with one disk, in `folder`."""

    ports: dict[str, int] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start it, on the ports it had, and return when it answers. Skips the test where disks keep no attributes."""
        if not self.ports:
            _need_attributes(self.folder)
            self._configure()
        for part in PARTS:
            with (self.folder / f"{part}.log").open("ab") as log:
                command = [str(_BIN / f"swift-{part}-server"), str(self.folder / f"{part}.conf")]
                self.running.append(subprocess.Popen(command, stdout=log, stderr=log))
        self.endpoint = f"http://127.0.0.1:{self.ports['proxy']}"
        self.keys = Keys("test:modelwright", "a-secret")
        self._wait_for_answers()

    def kill(self) -> None:
        """Kill all of it at once."""
        for process in self.running:
            process.kill()
        for process in self.running:
            process.wait()
        self.running.clear()

    def _configure(self) -> None:
        self.ports = {part: free_port() for part in PARTS}
        (self.folder / "disks" / "d1").mkdir(parents=True)
        (self.folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = one\ndefault = yes\n"
        )
        for part in PARTS:
            text = _PROXY if part == "proxy" else _STORING
            values = {"folder": self.folder, "port": self.ports[part], "user": getpass.getuser(), "part": part}
            (self.folder / f"{part}.conf").write_text(text.format(**values))
        self._make_rings()

    def _make_rings(self) -> None:
        """Say that everything lies on the one disk. In a process of its own: Swift changes what it is loaded into."""
        pairs = [f"{part}={self.ports[part]}" for part in PARTS if part != "proxy"]
        subprocess.run([sys.executable, "-c", _RINGS, *pairs], cwd=self.folder, check=True, capture_output=True)

    def _wait_for_answers(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for part in PARTS:
            while not _answers(self.ports[part]):
                logs = {name: (self.folder / f"{name}.log").read_text()[-2000:] for name in PARTS}
                assert time.monotonic() < deadline, f"Swift did not start: {logs}"
                time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
    return True


def _need_attributes(folder: Path) -> None:
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.swift", b"1")
    except OSError as error:
        pytest.skip(f"Swift needs extended attributes, which {folder} does not keep: {error}")
    finally:
        with suppress(OSError):
            probe.unlink()


_RINGS = """
import sys
from swift.common.ring import RingBuilder
for name, port in (pair.split("=") for pair in sys.argv[1:]):
    ring = RingBuilder(2, 1, 0)
    disk = dict(region=1, zone=1, ip="127.0.0.1", port=int(port), device="d1", weight=1.0)
    ring.add_dev(dict(disk, replication_ip=disk["ip"], replication_port=disk["port"]))
    ring.rebalance()
    ring.get_ring().save(f"{name}.ring.gz")
"""
_STORING = """
[DEFAULT]
devices = {folder}/disks
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}
[pipeline:main]
pipeline = {part}-server
[app:{part}-server]
use = egg:swift#{part}
"""
_PROXY = (
    """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_modelwright = a-secret .admin
[pipeline:main]
"""
    + f"pipeline = {_PIPELINE}\n"
    + "".join(
        f"[filter:{name}]\nuse = egg:swift#{name}\n"
        for name in _PIPELINE.split()
        if name not in ("s3api", "tempauth", "proxy-server")
    )
)
