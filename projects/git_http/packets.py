"""Packet lines of Git's protocols (gitprotocol-common(5), gitprotocol-pack(5)): a push, and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from modelwright.core.errors import ValidationFailed
from projects.source.incoming import NO_COMMIT, RefUpdate

FLUSH = b"0000"
MAX_UPDATES = 50
# What a push may ask of us: a report, deletions, deltas by offset. No side band, so the answer is the report alone.
CAPABILITIES = "report-status delete-refs ofs-delta object-format=sha1 agent=modelwright"
_LENGTH_DIGITS = 4
_LONGEST = 65520
_COMMAND = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)")


def packet(text: str) -> bytes:
    """One packet line."""
    data = text.encode()
    return b"%04x" % (len(data) + _LENGTH_DIGITS) + data


def advertisement(refs: Mapping[str, str]) -> bytes:
    """What a client reads before it pushes: each branch and tag with its commit, and what we can do."""
    lines = [f"{commit} {name}" for name, commit in sorted(refs.items())] or [f"{NO_COMMIT} capabilities^{{}}"]
    first, *others = lines
    listed = packet(f"{first}\0{CAPABILITIES}\n") + b"".join(packet(f"{line}\n") for line in others)
    return packet("# service=git-receive-pack\n") + FLUSH + listed + FLUSH


def read_updates(stream: BinaryIO) -> list[RefUpdate]:
    """The changes that a push asks for; the stream then stands where its pack begins. Empty for a mere probe.

    Raises ValidationFailed on what is no such request.
    """
    updates: list[RefUpdate] = []
    for line in _lines(stream):
        text = line.partition(b"\0")[0].decode(errors="replace").rstrip("\n")
        if text.startswith("shallow "):
            continue
        found = _COMMAND.fullmatch(text)
        if found is None or len(updates) == MAX_UPDATES:
            raise _unreadable()
        updates.append(RefUpdate(name=found[3], old=found[1], new=found[2]))
    return updates


def report(updates: list[RefUpdate], refused: str = "") -> bytes:
    """The answer to a push: every change was made, or none of them, because of `refused`."""
    lines = [packet("unpack ok\n")]
    lines += [packet(f"ng {each.name} {refused}\n" if refused else f"ok {each.name}\n") for each in updates]
    return b"".join(lines) + FLUSH


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The payloads up to the flush packet, or to the end of an empty request."""
    first = True
    while True:
        head = stream.read(_LENGTH_DIGITS)
        if head == FLUSH or (first and not head):
            return
        first = False
        if not re.fullmatch(rb"[0-9a-f]{4}", head) or not _LENGTH_DIGITS < int(head, 16) <= _LONGEST:
            raise _unreadable()
        wanted = int(head, 16) - _LENGTH_DIGITS
        line = stream.read(wanted)
        if len(line) != wanted:
            raise _unreadable()
        yield line


def _unreadable() -> ValidationFailed:
    return ValidationFailed(
        f"This is no push that the platform can read: packet lines with at most {MAX_UPDATES} changes of references.",
        remedy="Push with `git` 2.0 or newer, and fewer branches and tags at once.",
    )
