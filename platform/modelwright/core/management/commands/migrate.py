"""`manage.py migrate`, by one process at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

# Any number that nothing else in this database locks.
LOCK = 0x6D6967726174


class Command(DjangoCommand):
    """Django's command under a lock in the database that it changes.

    Two platforms or containers that start together on one database would both see the same migrations missing. The
    second waits until the first has ended, however that ends, and then finds nothing to do.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            super().handle(*args, **options)
        finally:
            with connections[options["database"]].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
