"""The body of a request as a file, unpacked where the client packed it."""

from __future__ import annotations

import tempfile
import zlib
from typing import IO, BinaryIO, cast

from django.http import HttpRequest

from modelwright.core.errors import ValidationFailed

IN_MEMORY_BYTES = 4 * 1024 * 1024
_BLOCK = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def body_of(request: HttpRequest, longest: int) -> BinaryIO:
    """The body, at its beginning. Raises ValidationFailed where it is longer than `longest` or is not packed right."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("gzip", "x-gzip", "identity"):
        raise ValidationFailed(
            f"The encoding {encoding[:40]!r} is not known here.", remedy="Send gzip, or plain bytes."
        )
    target = cast(BinaryIO, tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))  # noqa: SIM115 - the caller closes it
    try:
        _copy(cast(BinaryIO, request), target, longest, is_packed=encoding != "identity")
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def real_file(body: BinaryIO) -> IO[bytes]:
    """What is left of the body as a file that another program can read. The caller closes it."""
    target = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    while block := body.read(_BLOCK):
        target.write(block)
    target.seek(0)
    return target


def _copy(source: BinaryIO, target: BinaryIO, longest: int, *, is_packed: bool) -> None:
    unpack = zlib.decompressobj(_GZIP) if is_packed else None
    taken = 0
    while block := source.read(_BLOCK):
        while block:
            piece, block = (unpack.decompress(block, _BLOCK), unpack.unconsumed_tail) if unpack else (block, b"")
            taken += len(piece)
            if taken > longest:
                raise ValidationFailed(
                    f"The request has more than {longest // 1024**2:,} MiB.", remedy="Push or fetch less at once."
                )
            target.write(piece)
    if unpack is not None and not unpack.eof:
        raise ValidationFailed("The request's gzip is cut short.", remedy="Try again.")
