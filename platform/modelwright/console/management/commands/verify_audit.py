"""`manage.py verify_audit`: recompute the seal over the audit log."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from modelwright.audit.sealing import verify


class Command(BaseCommand):
    """Exit with 0 when every link holds, with 1 and the first broken link otherwise."""

    help = "Recompute the hash chain over the audit log and name the first link that does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        verdict = verify()
        if verdict.fault:
            raise CommandError(f"{verdict.fault} The {verdict.checked} links before it hold.")
        self.stdout.write(f"All {verdict.checked} links hold. {verdict.unsealed} rows wait for the sealer.")
