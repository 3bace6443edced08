"""The spool: what every acknowledged prediction is written to before its answer leaves.

A folder holds segments `<gateway id>-<sequence>.spool`. A segment is a sequence of records
`u32 big-endian length | u32 crc32 of the JSON | JSON`. One gateway appends to one segment, under an exclusive
`flock` that the kernel releases when the gateway ends, however it ends. A segment that nobody locks is closed: nothing
will ever be appended to it, and `finish` may delete it once every whole record in it has been read.

Records are written in order, so what cannot be read and has a whole record behind it is damaged, in an open segment
too. Then the segment is kept under a second name, `*.damaged`, and `behind_damage` tells where to read on.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import orjson

logger = logging.getLogger(__name__)

MAX_RECORD_BYTES = 128 * 1024 * 1024

PIECE_BYTES = 1024 * 1024

HEAD = struct.Struct(">II")
_NAME = re.compile(r"^(?P<gateway>[A-Za-z0-9_.-]+)-(?P<sequence>\d{10})\.spool$")
# No length has a larger first byte, a record is an object, and JSON has no such bytes: no text looks like a head.
_HEAD_LIKE = re.compile(rb"[\x00-\x08](?=.{7}\{)", re.DOTALL)
_NO_JSON = re.compile(rb"[\x00-\x1f]")
# Of so many bytes, in sizes of what is searched, checksums are made: chance takes far fewer, nothing takes for ever.
_CHECKED_SIZES = 4


class Segment(NamedTuple):
    """One file of the spool; segments sort by gateway, then by age."""

    gateway_id: str
    sequence: int
    path: Path


class Finish(StrEnum):
    """What `finish` did with a segment."""

    OPEN = "open"  # a gateway still appends to it
    UNREAD = "unread"  # whole records lie after the offset
    DELETED = "deleted"
    DAMAGED = "damaged"  # damaged after the offset, kept as `*.damaged`; whole records follow: `behind_damage`
    SET_ASIDE = "set_aside"  # damaged after the offset and nothing whole follows: it is `*.damaged` now


class RecordTooLarge(Exception):
    """No reader would take a record of so many bytes, nor what follows it in its segment."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a record of {size} bytes; one may have {MAX_RECORD_BYTES}")
        self.size = size


def encode_record(record: dict[str, Any]) -> bytes:
    """The bytes of one record. Raises `RecordTooLarge`."""
    body = orjson.dumps(record)
    if len(body) > MAX_RECORD_BYTES:
        raise RecordTooLarge(len(body))
    return HEAD.pack(len(body), zlib.crc32(body)) + body


def segment_path(directory: Path, gateway_id: str, sequence: int) -> Path:
    """Where that segment lies."""
    return directory / f"{gateway_id}-{sequence:010d}.spool"


def list_segments(directory: Path) -> list[Segment]:
    """Segments in the order in which they are to be read; none when the folder does not exist."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = ((_NAME.match(name), name) for name in names)
    return sorted(Segment(match["gateway"], int(match["sequence"]), directory / name) for match, name in found if match)


def read_records(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """As `read_bodies`, each body as the record that it is."""
    return ((orjson.loads(body), after) for body, after in read_bodies(path, offset))


def read_bodies(path: Path, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """The JSON of whole records from `offset` on, each with the offset after it.

    Ends quietly before a record that is torn or still being written, and before a damaged one; `finish` tells them
    apart. `offset` must be 0 or one that this function gave.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        # Cut out of large pieces: a call of `read` for each head and each body would cost as much as all the rest.
        piece, begin = file.read(PIECE_BYTES), 0
        while True:
            body = _cut_body(piece, begin)
            if body is None:
                piece, begin = piece[begin:], 0
                more = file.read(max(PIECE_BYTES, _missing(piece)))
                if not more:
                    return
                piece += more
                continue
            size = HEAD.size + len(body)
            begin += size
            offset += size
            yield body, offset


def finish(path: Path, offset: int) -> Finish:
    """Delete a closed segment of which everything up to `offset` has been stored; see `Finish` for what may happen.

    Call it only when what lies before `offset` is committed. What is damaged is logged. Raises `FileNotFoundError` when
    the segment is gone, OSError when what is damaged cannot be kept.
    """
    with path.open("rb") as file:
        is_closed = _is_closed(file)
        after = _find_record(file, offset + 1)
        # Looked at last: it may have become whole meanwhile, and whatever lies behind it with it.
        file.seek(offset)
        if _read_body(file.read) is not None:
            return Finish.UNREAD if is_closed else Finish.OPEN
        if after is not None:
            _keep(path, offset, after)
            return Finish.DAMAGED
        if not is_closed:
            return Finish.OPEN
        if _is_torn(path, offset):
            path.unlink()
            return Finish.DELETED
        _keep(path, offset, path.stat().st_size)
        path.unlink()
        return Finish.SET_ASIDE


def behind_damage(path: Path, offset: int) -> int | None:
    """Where the next whole record begins behind a record at `offset` that is damaged; None where none follows."""
    with path.open("rb") as file:
        return _find_record(file, offset + 1)


def _is_closed(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _find_record(file: Any, begin: int) -> int | None:
    """The first offset from there on at which a record lies whole, by its head, its braces and its checksum."""
    descriptor: int = file.fileno()
    size = os.fstat(descriptor).st_size
    unchecked = (size - begin) * _CHECKED_SIZES
    while begin < size:
        piece = os.pread(descriptor, PIECE_BYTES, begin)
        for match in _HEAD_LIKE.finditer(piece):
            at = begin + match.start()
            length, checksum = HEAD.unpack_from(piece, match.start())
            end = at + HEAD.size + length
            if not 0 < length <= MAX_RECORD_BYTES or end > size or os.pread(descriptor, 1, end - 1) != b"}":
                continue
            unchecked -= length
            if unchecked < 0:
                return None
            if zlib.crc32(os.pread(descriptor, length, at + HEAD.size)) == checksum:
                return at
        # A head may lie across two pieces.
        begin += len(piece) - HEAD.size if len(piece) > HEAD.size and begin + len(piece) < size else PIECE_BYTES
    return None


def _keep(path: Path, begin: int, end: int) -> None:
    """Give the segment a second name, so that its damaged bytes outlast it, and say so."""
    kept = path.with_name(path.name + ".damaged")
    number = 1
    while kept.exists() and not kept.samefile(path):
        number += 1
        kept = path.with_name(f"{path.name}.{number}.damaged")
    if not kept.exists():
        try:
            os.link(path, kept)
        except OSError:
            # A file system without second names.
            shutil.copy2(path, kept)
    logger.error(
        "%d bytes of %s, from byte %d on, cannot be read, one acknowledged record or more; they are kept in %s",
        *(end - begin, path, begin, kept),
    )


def _cut_body(piece: bytes, begin: int) -> bytes | None:
    """The body that begins there; None where it is not whole, or damaged."""
    if len(piece) - begin < HEAD.size:
        return None
    length, checksum = HEAD.unpack_from(piece, begin)
    begin += HEAD.size
    body = piece[begin : begin + length]
    return body if 0 < length <= MAX_RECORD_BYTES and len(body) == length and zlib.crc32(body) == checksum else None


def _missing(piece: bytes) -> int:
    """How much of its first record a piece lacks, as far as its head can be believed."""
    length: int = HEAD.unpack_from(piece)[0] if len(piece) >= HEAD.size else 0
    return max(length + HEAD.size - len(piece), 0) if length <= MAX_RECORD_BYTES else 0


def _read_body(read: Any) -> bytes | None:
    head = read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, checksum = HEAD.unpack(head)
    if not 0 < length <= MAX_RECORD_BYTES:
        return None
    body: bytes = read(length)
    if len(body) < length or zlib.crc32(body) != checksum:
        return None
    return body


def _is_torn(path: Path, offset: int) -> bool:
    """Whether what follows `offset` is nothing or the beginning of one record whose end was never written."""
    left = path.stat().st_size - offset
    if left < HEAD.size:
        return True
    with path.open("rb") as file:
        file.seek(offset)
        length: int = HEAD.unpack(file.read(HEAD.size))[0]
        return 0 < length <= MAX_RECORD_BYTES and left < HEAD.size + length and not _NO_JSON.search(file.read())
