"""A store with disks that is killed in the middle: what was put is there afterwards, what was half put is not."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from modelwright.core.errors import Unavailable
from tests.storage.s3_server import MIB, Cable
from tests.storage.swift_server import SwiftServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def kill_when_cut(cable: Cable, server: SwiftServer) -> None:
    while not cable.is_cut:
        time.sleep(0.01)
    server.kill()


def test_a_killed_store_has_what_was_put_and_nothing_half(swift: SwiftServer, tmp_path: Path) -> None:
    swift.client().create_bucket(Bucket="killed")
    blobs = swift.store("killed", tmp_path / "cache")
    before = [blobs.put_bytes(os.urandom(size)) for size in (0, 1000, 11 * MIB)]
    content = os.urandom(12 * MIB)
    cable = Cable(swift.endpoint, sent_limit=7 * MIB)
    killer = threading.Thread(target=kill_when_cut, args=(cable, swift))
    killer.start()
    with pytest.raises(Unavailable, match="cannot be reached"):
        swift.store("killed", tmp_path / "far", endpoint=cable.endpoint).put_bytes(content)
    killer.join()
    cable.close()
    with pytest.raises(Unavailable, match="cannot be reached"):
        blobs.has(before[0].sha256)
    swift.start()
    assert list(blobs.blobs()) == sorted(before, key=lambda blob: blob.sha256)
    assert [blobs.verify(blob.sha256) for blob in before] == [blob.size for blob in before]
    assert blobs.read(blobs.put_bytes(content).sha256) == content
