"""Which trouble lies in what is worked on, and comes again with it, and which passes by itself."""

from __future__ import annotations

import psycopg
from django.db import DataError, Error, IntegrityError
from psycopg import errors

_OF_VALUES = (
    *(DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError),
    *(errors.ProgramLimitExceeded, errors.StatementTooComplex),
)


def comes_again(error: BaseException) -> bool:
    """Whether the same work would fail again, so that it must not hold up other work. False while a database or a disk
    is in trouble: then the work is to be tried again."""
    if isinstance(error, Error | psycopg.Error):
        # Django calls limits that a value exceeds what it calls a lost connection; the driver's own error tells.
        return isinstance(error, _OF_VALUES) or isinstance(error.__cause__, _OF_VALUES)
    return not isinstance(error, OSError)
