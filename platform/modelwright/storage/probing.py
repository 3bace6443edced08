"""Whether the store of blobs can be used, asked so seldom and so patiently that anybody may ask."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modelwright.core.asking import Asker
from modelwright.core.errors import PlatformError
from modelwright.storage.blobs import BlobStore
from modelwright.storage.settings import blob_store

FRESH_SECONDS = 10.0
PATIENCE_SECONDS = 2.0
log = logging.getLogger(__name__)


class Probe:
    """What is wrong with a store, as it was found within the last FRESH_SECONDS.

    A disk of the network may hang for ever, so a thread asks; whoever wants to know waits PATIENCE_SECONDS for it, and
    while it hangs no second one is begun. What is said to anybody names no place: the log has the whole of it.
    """

    def __init__(self, store: Callable[[], BlobStore] = blob_store) -> None:
        self._store = store
        self._found = ""
        self._asker = Asker(
            self._ask, name="blobs-probe", fresh_seconds=FRESH_SECONDS, patience_seconds=PATIENCE_SECONDS
        )

    def fault(self) -> str:
        """Empty where the store can be used."""
        return self._found if self._asker.unanswered_seconds() is None else "does not answer"

    def _ask(self) -> None:
        found = ""
        try:
            self._store().check()
        except PlatformError as error:
            found = "cannot be used; the log of this process says why"
            reason = f"{error.message} {error.remedy}"
        except Exception as error:
            found = "cannot be used; the log of this process says why"
            reason = str(error) or type(error).__name__
        if found and not self._found:
            log.warning("The blob store cannot be used: %s", reason)
        self._found = found
