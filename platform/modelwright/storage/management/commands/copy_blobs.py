"""`manage.py copy_blobs --to <address>`: move an installation's blobs to another store."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from modelwright.core.errors import PlatformError
from modelwright.storage.copying import Copied, copy_blobs
from modelwright.storage.settings import AREAS, store_at


class Command(BaseCommand):
    """Exit with 0 when the other store holds every blob, with 1 and what is missing otherwise."""

    help = (
        "Copy every blob to another store, verified. Run it again to go on; then set MODELWRIGHT_BLOBS to the address."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--to", required=True, help="A folder, or s3://bucket/prefix?endpoint=…&region=…")
        parser.add_argument("--credentials", default="", help="A file with the keys of --to, where they are others.")
        parser.add_argument("--from", dest="source", default="", help="Another source than MODELWRIGHT_BLOBS.")
        parser.add_argument("--check", action="store_true", help="Also read back all that the other store holds.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            result = Copied()
            for area in AREAS:
                self._copy(result, area, options)
        except PlatformError as error:
            raise CommandError(f"{error} {error.remedy}") from error
        for problem in result.problems:
            self.stderr.write(problem)
        if result.problems:
            raise CommandError(f"{len(result.problems)} blobs could not be copied. Mend them and run this again.")
        self.stdout.write(
            f"{result.copied} copied ({result.copied_bytes} bytes), {result.there_already} were there already."
        )

    def _copy(self, result: Copied, area: str, options: dict[str, Any]) -> None:
        source = store_at(options["source"] or settings.BLOBS, area=area)
        target = store_at(options["to"], credentials_file=options["credentials"], area=area)
        if source.address == target.address:
            raise CommandError(f"Both stores are {target.address}.")
        self.stdout.write(f"From {source.address} to {target.address}")
        result.add(copy_blobs(source, target, check=options["check"], progress=self._tell))

    def _tell(self, so_far: Copied) -> None:
        done = so_far.copied + so_far.there_already + len(so_far.problems)
        self.stdout.write(f"  {done} done, {so_far.copied_bytes} bytes copied")
