"""Gives up uploads that nobody will finish: their parts are invisible, and cost room."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from django.utils import timezone

from modelwright.core.errors import PlatformError
from modelwright.storage.settings import blob_store

logger = logging.getLogger(__name__)
# The largest file is sent within hours, and whoever sends it is alive all the while.
AGE = timedelta(days=1)


@runtime_checkable
class KeepsParts(Protocol):
    """A store to which large blobs go in parts."""

    def abort_unfinished(self, before: datetime) -> int:
        """Give up every upload of this installation that began before that moment; how many there were.

        Raises Unavailable when the store does not answer, or does not let the installation look.
        """
        ...


def give_up() -> None:
    """Give up what was begun more than a day ago. A store that does not answer is asked again the next time."""
    store = blob_store()
    if not isinstance(store, KeepsParts):
        return
    try:
        ended = store.abort_unfinished(timezone.now() - AGE)
    except PlatformError as error:
        logger.warning("unfinished uploads were not looked for: %s %s", error.message, error.remedy)
        return
    if ended:
        logger.info("gave up %d unfinished uploads", ended)
