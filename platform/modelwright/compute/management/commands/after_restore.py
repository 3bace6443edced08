"""`manage.py after_restore`: the last step of putting a backup in place."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from modelwright.accounts.actors import Actor
from modelwright.compute.services.after_restore import settle


class Command(BaseCommand):
    """Forgets what hosts had when the backup was made, and puts the restore on record."""

    help = "Forget what hosts had when the backup was made. `restore` calls it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--backup", required=True, help="the name of the backup, for the record")

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        forgotten = settle(options["backup"], acting_user=Actor.system("restore"))
        self.stdout.write(f"Environments are made again when they are wanted; {forgotten} copies were forgotten.")
