"""Reads the log of a workload, wherever it ran: from this host's disk, from what its host sent so far, or handed in."""

from __future__ import annotations

from django.conf import settings

from modelwright.compute.layout import log_file
from modelwright.compute.log_pieces import PIECE_BYTES
from modelwright.compute.models import LogPiece, Workload
from modelwright.storage.settings import blob_store

CHUNK_BYTES = 128 * 1024
_GONE = ("offline", "removed")


def read_log(workload: Workload, offset: int = 0) -> tuple[str, int, bool]:
    """(text, next offset, finished) of the workload's log from the byte `offset`, at most 128 KiB at once.

    `finished` says that no more will come: the workload is over and the text reaches the end of the log.
    The text is as the workload wrote it: escape it before showing it. Raises Unavailable when the blob store is asked
    and does not answer.
    """
    offset = max(offset, 0)
    data, is_whole = _read(workload, offset)
    finished = is_whole and len(data) < CHUNK_BYTES
    if not finished:
        data = data[: _whole_characters(data)]
    return data.decode("utf-8", errors="replace"), offset + len(data), finished


def log_tail(workload: Workload, lines: int = 20) -> str:
    """The last lines of the workload's log, empty when there is none."""
    data, _ = _read(workload, max(0, _size(workload) - CHUNK_BYTES))
    return "\n".join(data.decode("utf-8", errors="replace").splitlines()[-lines:])


def _is_here(workload: Workload) -> bool:
    return workload.host is None or workload.host.name == settings.HOST_NAME


def _read(workload: Workload, offset: int) -> tuple[bytes, bool]:
    """(bytes of the log from `offset`, whether no more will be written to it)."""
    path = log_file(workload) if _is_here(workload) else None
    if path is not None:
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(CHUNK_BYTES), workload.is_ended
        except FileNotFoundError:
            pass
    if workload.log_sha256:
        with blob_store().open(workload.log_sha256) as stream:
            stream.seek(offset)
            return stream.read(CHUNK_BYTES), True
    return _from_pieces(workload, offset), workload.is_ended and _says_no_more(workload)


def _says_no_more(workload: Workload) -> bool:
    host = workload.host
    return host is None or _is_here(workload) or workload.handed_in_at is not None or host.state in _GONE


def _from_pieces(workload: Workload, offset: int) -> bytes:
    """What the workload's host has sent so far, up to the first gap."""
    near = LogPiece.objects.filter(
        workload=workload,
        fence=workload.fence or 0,
        start__gt=offset - PIECE_BYTES,
        start__lt=offset + CHUNK_BYTES,
    )
    data = bytearray()
    for start, piece in near.order_by("start").values_list("start", "data"):
        position = offset + len(data)
        if start > position:
            break
        # Two that ship the same log may cut it at different places.
        data += bytes(piece)[position - start :]
    return bytes(data[:CHUNK_BYTES])


def _size(workload: Workload) -> int:
    path = log_file(workload) if _is_here(workload) else None
    if path is not None and path.exists():
        return path.stat().st_size
    if workload.log_sha256:
        return blob_store().size(workload.log_sha256)
    last = LogPiece.objects.filter(workload=workload, fence=workload.fence or 0).order_by("-start").first()
    return last.start + len(last.data) if last else 0


def _whole_characters(data: bytes) -> int:
    """How many bytes are left when a UTF-8 character that is cut at the end is left for the next read."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(data) - back if length > back else len(data)
    return len(data)
