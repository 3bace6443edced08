"""Logs of hosts whose disk the reader cannot see: piece by piece while they grow, as a blob after the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from modelwright.compute import handing_in, selectors
from modelwright.compute.layout import log_file
from modelwright.compute.log_pieces import PIECE_BYTES, Shipper
from modelwright.compute.logs import CHUNK_BYTES
from modelwright.compute.models import Host, LogPiece, Workload

from .support import HERE, fresh, make_host, queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(host: Host, data: Path, settings: Settings) -> Workload:
    """A running workload of this host, with an empty log. Both machines of a test have the same blobs."""
    settings.BLOBS = str(data / "blobs")
    workload = queue()
    Workload.objects.filter(pk=workload.pk).update(host=host, fence=7, state="running")
    workload = fresh(workload)
    path(workload).parent.mkdir(parents=True)
    path(workload).touch()
    return workload


def path(workload: Workload) -> Path:
    found = log_file(workload)
    assert found is not None
    return found


def write(workload: Workload, data: bytes) -> None:
    with path(workload).open("ab") as stream:
        stream.write(data)


def elsewhere(settings: Settings, workload: Workload) -> Workload:
    """The workload as another machine reads it, which has none of this host's files."""
    settings.HOST_NAME, settings.DATA_DIR = "control", settings.DATA_DIR / "elsewhere"
    return fresh(workload)


def here(settings: Settings) -> None:
    settings.HOST_NAME, settings.DATA_DIR = HERE, settings.DATA_DIR.parent


def test_a_log_is_sent_while_it_grows_and_reads_the_same_afterwards(running: Workload, settings: Settings) -> None:
    shipper = Shipper()
    assert shipper.tick() == 0
    write(running, "é".encode()[:1])
    assert shipper.tick() == 1
    seen = elsewhere(settings, running)
    # Half a character is left for the next read.
    assert selectors.read_log(seen) == ("", 0, False)
    here(settings)
    write(running, "é".encode()[1:] + b"nd\n")
    assert shipper.tick() == 4
    assert shipper.tick() == 0
    seen = elsewhere(settings, running)
    assert selectors.read_log(seen) == ("énd\n", 5, False)
    assert selectors.read_log(seen, 5) == ("", 5, False)
    assert selectors.log_tail(seen) == "énd"

    here(settings)
    write(running, b"last\n")
    shipper.tick()
    Workload.objects.filter(pk=running.pk).update(state="succeeded")
    # Its end is known, and not yet that nothing more was written.
    assert selectors.read_log(elsewhere(settings, running), 5) == ("last\n", 10, False)
    here(settings)
    assert handing_in.tick_runs() == 1
    assert not LogPiece.objects.exists()
    seen = elsewhere(settings, running)
    assert selectors.read_log(seen, 5) == ("last\n", 10, True)
    assert selectors.read_log(seen, 10) == ("", 10, True)
    assert selectors.log_tail(seen, 1) == "last"
    here(settings)
    assert shipper.tick() == 0
    assert not LogPiece.objects.exists()


def test_a_long_log_is_read_in_chunks(running: Workload, settings: Settings) -> None:
    text = "".join(f"line {number} ümlaut\n" for number in range(40_000))
    write(running, text.encode())
    shipper = Shipper()
    sent = shipper.tick()
    assert sent > PIECE_BYTES
    while more := shipper.tick():
        sent += more
    assert sent == len(text.encode())
    Workload.objects.filter(pk=running.pk).update(state="succeeded")
    for hand_in in (False, True):
        if hand_in:
            here(settings)
            handing_in.tick_runs()
        seen, read, offset, finished = elsewhere(settings, running), "", 0, False
        while offset < sent:
            piece, offset, finished = selectors.read_log(seen, offset)
            assert len(piece.encode()) <= CHUNK_BYTES
            read += piece
        assert read == text
        assert finished is hand_in
        assert selectors.log_tail(seen, 2) == "line 39998 ümlaut\nline 39999 ümlaut"


def test_another_process_goes_on_where_the_first_one_was(running: Workload, settings: Settings) -> None:
    write(running, b"one ")
    assert Shipper().tick() == 4
    write(running, b"two")
    assert Shipper().tick() == 3
    assert selectors.read_log(elsewhere(settings, running))[0] == "one two"


def test_pieces_of_two_senders_that_overlap_read_as_one(running: Workload, settings: Settings) -> None:
    for start, data in ((0, b"abcdef"), (3, b"defgh"), (4, b"ef"), (8, b"i"), (20, b"after a gap")):
        LogPiece.objects.create(workload=running, fence=7, start=start, data=data)
    LogPiece.objects.create(workload=running, fence=6, start=9, data=b"of another placement")
    seen = elsewhere(settings, running)
    assert selectors.read_log(seen)[0] == "abcdefghi"
    assert selectors.read_log(seen, 7)[0] == "hi"


def test_the_log_of_a_host_that_is_gone_ends_with_what_it_sent(running: Workload, settings: Settings) -> None:
    write(running, b"last words")
    Shipper().tick()
    Workload.objects.filter(pk=running.pk).update(state="lost")
    Host.objects.filter(name=HERE).update(state="offline")
    assert selectors.read_log(elsewhere(settings, running)) == ("last words", 10, True)


def test_only_logs_of_this_host_are_sent(host: Host, data: Path) -> None:
    away = make_host("away")
    workload = queue()
    Workload.objects.filter(pk=workload.pk).update(host=away, fence=1, state="running")
    path(fresh(workload)).parent.mkdir(parents=True)
    write(fresh(workload), b"not ours")
    assert Shipper().tick() == 0
