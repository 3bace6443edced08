"""Takes what ended workloads left, so that nothing one of them left holds up the others."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import transaction

from modelwright.compute.models import Workload
from modelwright.compute.selectors import uncollected
from modelwright.compute.services import mark_collected
from modelwright.core.errors import PlatformError
from modelwright.core.trouble import comes_again

logger = logging.getLogger(__name__)


def collect_each(
    kind: Workload.Kind,
    *,
    take: Callable[[Workload], None],
    give_up: Callable[[Workload, Exception], None],
) -> int:
    """Take what ended workloads of a kind left, as their hosts handed it in; return how many.

    `take` says what came of one; `give_up` that what it left cannot be used, and why. Each is called in the transaction
    that marks the workload collected. A PlatformError leaves it to the next call; trouble of a database or a disk is
    raised.
    """
    return sum(_collect(workload, take, give_up) for workload in uncollected(kind))


def _collect(
    workload: Workload, take: Callable[[Workload], None], give_up: Callable[[Workload, Exception], None]
) -> bool:
    try:
        with transaction.atomic():
            take(workload)
            mark_collected(workload)
    except PlatformError:
        # It stays uncollected, so the next tick tries again.
        logger.exception("collecting %s", workload)
        return False
    except Exception as error:
        if not comes_again(error):
            raise
        # Whatever it left must not keep the others waiting.
        logger.warning("%s left what cannot be used", workload, exc_info=True)
        with transaction.atomic():
            give_up(workload, error)
            mark_collected(workload)
    return True
