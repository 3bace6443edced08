"""Reading MLflow's database. Nothing here can write to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from psycopg.rows import dict_row

from modelwright.core.errors import Unavailable

_OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=10000 -c lock_timeout=3000"
Row = dict[str, Any]


class NothingLoggedYet(Exception):
    """MLflow has not made its tables yet."""


@contextmanager
def reading() -> Iterator[psycopg.Cursor[Row]]:
    """A cursor over MLflow's tables in one read-only transaction.

    Raises NothingLoggedYet where there are none yet, Unavailable where they cannot be read.
    """
    try:
        with (
            psycopg.connect(
                settings.MLFLOW_DATABASE_URL, options=_OPTIONS, connect_timeout=5, row_factory=dict_row
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor
    except psycopg.errors.UndefinedTable as error:
        raise NothingLoggedYet from error
    except psycopg.OperationalError as error:
        raise Unavailable(
            "What runs logged cannot be read at the moment: the tracking database does not answer.",
            remedy="Try again in a few seconds.",
        ) from error
