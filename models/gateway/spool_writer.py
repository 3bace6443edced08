"""The gateway's end of the spool: appends, or refuses; it never leaves a torn record behind in a segment it uses."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from pathlib import Path

from models.gateway import spool

logger = logging.getLogger(__name__)

SEGMENT_BYTES = 16 * 1024 * 1024
RETRY_SECONDS = 0.5
RESCAN_SECONDS = 1.0


class SpoolRefused(Exception):
    """Nothing was recorded, so nothing may be answered. `detail` and `remedy` are for the client."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


class SpoolWriter:
    """Appends records to segments of one gateway. `limit_bytes` bounds all segments in the folder together."""

    def __init__(
        self,
        directory: Path,
        gateway_id: str,
        *,
        limit_bytes: int = 2 * 1024**3,
        segment_bytes: int = SEGMENT_BYTES,
        fsync: bool = False,
    ) -> None:
        self._directory = directory
        self._gateway_id = gateway_id
        self._limit = limit_bytes
        self._segment_bytes = segment_bytes
        self._fsync = fsync
        self._file: int | None = None
        self._path: Path | None = None
        self._end = 0
        self._total = 0
        self._scanned_at = float("-inf")
        self._refusal: SpoolRefused | None = None
        self._retry_at = 0.0

    @property
    def total_bytes(self) -> int:
        """Bytes in all segments of the folder, at most a second old plus what this writer appended since."""
        return self._total

    def refusal(self, now: float | None = None) -> SpoolRefused | None:
        """Why an append would be refused now, without trying; None when it is worth a try."""
        if now is None:
            now = time.monotonic()
        if self._refusal is not None and now < self._retry_at:
            return self._refusal
        self._rescan(now)
        return self._full() if self._total >= self._limit else None

    def append(self, records: bytes) -> None:
        """Append encoded records by one `write()`. Raises `SpoolRefused` when they could not be recorded whole."""
        now = time.monotonic()
        self._rescan(now)
        try:
            if self._total + len(records) > self._limit:
                raise self._full()
            self._write(records)
        except OSError as error:
            logger.error("the spool refused %d bytes: %s", len(records), error)
            refused = SpoolRefused(
                f"The prediction could not be recorded ({error.strerror or error}), so it is not answered.",
                f"Free space on the disk that holds {self._directory}, then try again; nothing has to be restarted.",
            )
            self._remember(refused, now)
            raise refused from error
        except SpoolRefused as refused:
            self._remember(refused, now)
            raise
        self._refusal = None

    def close(self) -> None:
        """Close the segment; a later append opens another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, records: bytes) -> None:
        if self._file is None or self._end >= self._segment_bytes:
            self.close()
            self._open()
        file = self._file
        assert file is not None  # noqa: S101 - for the type checker; _open sets it or raises
        try:
            written = os.write(file, records)
            if written < len(records):
                raise OSError(28, "No space left on device")
            if self._fsync:
                os.fdatasync(file)
        except OSError:
            self._take_back(file)
            raise
        self._end += written
        self._total += written

    def _take_back(self, file: int) -> None:
        try:
            os.ftruncate(file, self._end)
        except OSError:
            # Readers stop before a torn tail, so the segment is only unfit for more.
            logger.exception("a torn record could not be cut off; a new segment follows")
            self.close()

    def _open(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        own = [s.sequence for s in spool.list_segments(self._directory) if s.gateway_id == self._gateway_id]
        sequence = max([*own, int(time.time())]) + 1
        path = spool.segment_path(self._directory, self._gateway_id, sequence)
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A reader that saw the empty file before the lock may have deleted it.
            if os.stat(path).st_ino != os.fstat(file).st_ino:
                raise OSError(11, "the new segment was replaced while it was opened")
        except OSError:
            os.close(file)
            raise
        self._file, self._path, self._end = file, path, 0

    def _rescan(self, now: float) -> None:
        if now - self._scanned_at < RESCAN_SECONDS:
            return
        self._scanned_at = now
        total = 0
        for segment in spool.list_segments(self._directory):
            try:
                total += segment.path.stat().st_size
            except FileNotFoundError:
                continue
        self._total = total
        if self._file is not None and self._path is not None and not self._path.exists():
            logger.error("the segment %s was deleted while in use; a new one follows", self._path)
            self.close()

    def _remember(self, refused: SpoolRefused, now: float) -> None:
        self._refusal = refused
        self._retry_at = now + RETRY_SECONDS

    def _full(self) -> SpoolRefused:
        return SpoolRefused(
            f"The spool holds {self._total} of {self._limit} bytes, so the prediction could not be recorded "
            "and is not answered.",
            "Check that the shipper runs and reaches PostgreSQL; predictions go on as soon as it has caught up.",
        )
